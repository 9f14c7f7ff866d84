/** The tasks of the studies: examples of the project, with what every study sets. */
import { fileURLToPath } from "node:url";
import type { TaskName } from "./study.ts";

export interface Task {
  readonly says: string;
  /** The example's configuration. */
  readonly file: string;
}

/** The path of a file of the examples. */
export const example = (path: string) => fileURLToPath(new URL(`../../../examples/${path}`, import.meta.url));

export const tasks: Readonly<Record<TaskName, Task>> = {
  desk: { says: "the small help desk, a learned reward", file: example("helpdesk/mini.yaml") },
  chains: { says: "arithmetic chains, a verifier", file: example("arithmetic/pipeline.yaml") },
};

/** Sequences that a run samples unless its study says otherwise: an experiment is then done in 75 minutes on two cores (docs/evidence.md). */
export const samples = 12_288;

/** Settings of every run. An arm sets its own sequences and iterations. */
export const common: readonly string[] = [
  "ppo.minibatches=1",
  "ppo.epochs=2",
  "ppo.checkpointEvery=0",
  "ppo.storedSamples=0",
  "control.profile=adaptive",
  "control.probes.every=0",
  "control.noise.every=0",
  "control.robustness.every=0",
  "evaluation.samples=520",
  ...step(256),
];

/** Measurements of the monitoring set in a run, at equal distances. */
export const measurements = 12;

/** The settings for so many sequences a step, at equal samples. */
export function step(sequences: number, of = samples): string[] {
  return [`ppo.sequences=${sequences}`, `ppo.iterations=${of / sequences}`];
}
