/** The cells of the experiment of docs/faults.md: each fault with and without the controller, with the same seed, and healthy runs to count false alarms. */
import type { FaultName } from "../../config/fault-names.ts";
import type { Config } from "../../config/index.ts";
import { type Cell, type CellOf, type Results, resultOf } from "../cells.ts";
import { hashInputs } from "../input-files.ts";
import { rulesFor } from "../judge-work.ts";
import { startOf } from "../start-cells.ts";
import type { Trial } from "../trial-work.ts";

export interface FaultRequest {
  readonly fault: FaultName | null;
  readonly seed: number;
  readonly interventions: "on" | "off";
}

/** A finished run of the experiment. */
export interface FaultTrial extends FaultRequest, Trial {
  /** First iteration of the fault; null without one. */
  readonly from: number | null;
}

export interface FaultsPlan {
  /** A configuration with all three stages. */
  readonly config: Config;
  readonly faults: readonly FaultName[];
  readonly seeds: readonly number[];
  /** Minimum of healthy iterations for counting false alarms; each seed has one run of them. */
  readonly healthyIterations: number;
}

/** Most additional healthy runs: a rule that stops every run would require more without end. */
const mostMore = 12;

/**
 * The runs in order, so that an interrupted call has whole rows. If the controller stops healthy runs early, further ones are asked for until there
 * are as many healthy iterations as requested.
 */
export function faultRequests(
  { config, faults, seeds, healthyIterations }: FaultsPlan,
  results: Results,
): FaultRequest[] {
  const { iterations } = config.ppo!;
  const planned = Math.max(seeds.length, Math.ceil(healthyIterations / iterations));
  const last = Math.max(...seeds);
  const healthy = (seed: number): FaultRequest => ({ fault: null, seed, interventions: "on" });
  const more = Array.from({ length: planned - seeds.length }, (_, i) => last + 1 + i);
  const all = [...seeds, ...more];
  // Each finished run that was stopped early is short of so many iterations.
  const short = () =>
    all.reduce((sum, seed) => {
      const trial = resultOf(results, "trial", cellOf(healthy(seed)));
      return sum + (trial === undefined ? iterations : iterationsDone(trial));
    }, 0) < healthyIterations;
  while (short() && all.length < planned + mostMore) all.push(Math.max(...all) + 1);
  return [
    // A fault is compared with a healthy run to its end, whatever the controller would have done.
    ...seeds.flatMap((seed) => [healthy(seed), { ...healthy(seed), interventions: "off" as const }]),
    ...faults.flatMap((fault) =>
      seeds.flatMap((seed): FaultRequest[] => [
        { fault, seed, interventions: "on" },
        { fault, seed, interventions: "off" },
      ]),
    ),
    ...all.slice(seeds.length).map(healthy),
  ];
}

export function faultCells(plan: FaultsPlan, results: Results): Cell[] {
  const stages = new Map<string, CellOf<"stage">>();
  const trials = faultRequests(plan, results).map((request): Cell => {
    const { config: given } = plan;
    const { fault, seed, interventions } = request;
    const start = startOf(given, stages);
    const config: Config = {
      ...given,
      seed,
      threads: 1,
      faults: fault === null ? [] : [`${fault}@${faultBegins(given)}`],
      control: { ...given.control, profile: "adaptive", interventions },
    };
    const gold = { config: { ...given, threads: 1 }, samples: given.evaluation.samples, curve: 0 };
    const needs = [start.policy, start.reward].filter((need) => need !== null);
    const input = { config, start, fork: null, rules: rulesFor(config), files: [hashInputs(given)], gold };
    return { name: cellOf(request), work: "trial", input, needs };
  });
  return [...stages.values(), ...trials];
}

/** The finished runs, in the order of the plan. */
export function faultTrials(plan: FaultsPlan, results: Results): FaultTrial[] {
  return faultRequests(plan, results).flatMap((request) => {
    const trial = resultOf(results, "trial", cellOf(request));
    const from = request.fault === null ? null : faultBegins(plan.config);
    return trial === undefined ? [] : [{ ...request, ...trial, from }];
  });
}

/** `lr-spike-11-on`. */
function cellOf({ fault, seed, interventions }: FaultRequest): string {
  return `${fault ?? "healthy"}-${seed}-${interventions}`;
}

function faultBegins({ ppo }: Config): number {
  return Math.floor(ppo!.iterations / 2);
}

/** Iterations done; fewer than planned if the controller stopped the run. */
export function iterationsDone({ stopped, iterations }: Pick<Trial, "stopped" | "iterations">): number {
  return stopped === null ? iterations : stopped.iteration + 1;
}
