/** The doctor's checklist of a run in progress, from its record. */
import type { Config } from "../config/index.ts";
import { iterationsDone, type RunHistory } from "../control/diagnosis/index.ts";
import { checklist, type Phase } from "../control/doctor/index.ts";

export interface Checklist {
  readonly done: number;
  readonly iterations: number;
  readonly phases: readonly Phase[];
}

/** The checklist of a run; `config` must have PPO. */
export function checklistOf({ ppo, control }: Config, history: RunHistory): Checklist {
  const { iterations, sequences, minibatches, maxGradNorm, temperature } = ppo!;
  const done = Math.min(iterations, iterationsDone(history));
  const settings = { sequences, minibatches, maxGradNorm, temperature };
  return {
    done,
    iterations,
    phases: checklist({ history, done, iterations, settings, entropyScale: control.entropy.scale }),
  };
}
