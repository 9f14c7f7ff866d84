/** The numbers that `ballast init` writes: rates by the model's size, steps by the number of rows, lengths by the rows' own. */
import { rateBand } from "../../../control/doctor/index.ts";

interface Point {
  readonly parameters: number;
  readonly rate: number;
}

/** Fine-tuning: the help desk, measured (examples/helpdesk/pipeline.yaml); Ouyang et al. 2022, appendix C.1, 1.3 billion parameters. */
const sftPoints = [
  { parameters: 0.8e6, rate: 3e-3 },
  { parameters: 1.3e9, rate: 9.65e-6 },
] as const;

/** Reward models: the help desk, measured; Ouyang et al. 2022, appendix C.2, 6 billion parameters. */
const rewardPoints = [
  { parameters: 0.8e6, rate: 1e-3 },
  { parameters: 6e9, rate: 9e-6 },
] as const;

/** How much higher an adapter's rate is (Schulman et al. 2025, LoRA Without Regret). */
const adapterFactor = 10;

/** Straight between the two points in logarithms, and constant beyond them; two digits. */
function between([small, large]: readonly [Point, Point], parameters: number): number {
  const place = Math.log(parameters / small.parameters) / Math.log(large.parameters / small.parameters);
  return small.rate * (large.rate / small.rate) ** Math.min(1, Math.max(0, place));
}

export interface StartRates {
  readonly sft: number;
  readonly reward: number;
  readonly ppo: number;
}

/** Rates for a model of this size; those of PPO are the middle of the doctor's band. */
export function startRates({ parameters, lora }: { readonly parameters: number; readonly lora: boolean }): StartRates {
  const factor = lora ? adapterFactor : 1;
  return {
    sft: figure(factor * between(sftPoints, parameters)),
    reward: figure(factor * between(rewardPoints, parameters)),
    ppo: figure(rateBand({ parameters, lora }).typical),
  };
}

function figure(value: number): number {
  return Number(value.toPrecision(2));
}

/** Passes over the rows: small sets need a few; a reward model overfits after one on large ones (Ouyang et al. 2022). */
const passes = 3;
const mostSteps = 300;
const fewestSteps = 40;
const largestBatch = 32;

/** Rows a step and steps for this many training rows. */
export function stepsFor(rows: number): { readonly batchSize: number; readonly steps: number } {
  const batchSize = Math.max(1, Math.min(largestBatch, 2 ** Math.floor(Math.log2(Math.max(1, rows / 8)))));
  const steps = Math.min(mostSteps, Math.max(fewestSteps, Math.ceil((passes * rows) / batchSize)));
  return { batchSize, steps };
}

/** The smallest power of two that is at least `length`, within [low, high]. */
export function powerOfTwo(length: number, { low, high }: { readonly low: number; readonly high: number }): number {
  return Math.min(high, Math.max(low, 2 ** Math.ceil(Math.log2(Math.max(1, length)))));
}
