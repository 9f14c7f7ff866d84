/** The questions that probes put to the policy and the reward beside the run. */
import type { ModelId } from "../engine/engine.ts";
import type { Scored } from "../reward/index.ts";
import type { Verdicts } from "../signals/index.ts";
import { RewardError } from "../util/errors.ts";
import { verdictsOf } from "./evaluate.ts";
import type { OnlineRun } from "./online-run.ts";
import { type Prompt, type Rollout, rollOut, scoredRows } from "./rollout.ts";

/** The parts of a run that probes need. */
export type Probed = Pick<
  OnlineRun,
  "context" | "inputs" | "models" | "reward" | "loop" | "state" | "stopwatch" | "tell"
>;

/** The first distinct prompts of the monitoring set, or of the training prompts if there is none. */
export function probesOf({ inputs }: Pick<Probed, "inputs">, count: number): Prompt[] {
  const { monitor } = inputs.measuring;
  const rows = monitor.length > 0 ? monitor : inputs.prompts;
  const distinct = new Map(rows.map((prompt) => [prompt.tokens.join(" "), prompt]));
  return [...distinct.values()].slice(0, count);
}

/** Gold verdicts of a rollout; none, with a warning, if the check fails: a measurement must not end the training. */
export async function goldVerdicts(
  { inputs, loop }: Pick<Probed, "inputs" | "loop">,
  rollout: Rollout,
): Promise<readonly Verdicts[]> {
  try {
    return await verdictsOf(inputs.measuring.gold?.check ?? null, rollout);
  } catch (error) {
    if (!(error instanceof RewardError)) throw error;
    loop.warnOnce("gold", loop.first, `the gold check failed, so that this measurement has none: ${error.message}`);
    return rollout.prompts.map(() => ({}));
  }
}

/** Responses over the whole distribution, by default the policy's; each depends only on its prompt, the weights and the seed. */
export function probeRollout(
  { context, models, loop }: Pick<Probed, "context" | "models" | "loop">,
  options: {
    readonly prompts: readonly Prompt[];
    readonly temperature: number;
    readonly seed: number;
    readonly model?: ModelId;
  },
): Promise<Rollout> {
  const { engine, tokenizer } = context;
  const { maxNewTokens } = loop.settings;
  const whole = { topK: 0, topP: 1, onProgress: () => {} };
  return rollOut({ engine, tokenizer, model: models.policy.id, maxNewTokens, ...whole, ...options });
}

/** Scores as for a rollout; null, with a warning, if the reward cannot judge these responses. */
export async function scoresOf(
  run: Pick<Probed, "reward" | "loop">,
  topic: string,
  rollout: Rollout,
): Promise<number[] | null> {
  return scoreRows(run, topic, scoredRows(rollout));
}

/** Scores of rows that no policy wrote; null, with a warning, if the reward cannot judge them. */
export async function scoreRows(
  { reward, loop }: Pick<Probed, "reward" | "loop">,
  topic: string,
  rows: readonly Scored[],
): Promise<number[] | null> {
  try {
    return (await reward.score(rows)).score;
  } catch (error) {
    if (!(error instanceof RewardError)) throw error;
    loop.warnOnce(
      topic,
      loop.first,
      `the reward cannot judge what ${topic} asks, so that it has no score: ${error.message}`,
    );
    return null;
  }
}
