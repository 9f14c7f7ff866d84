/** The questions that probes put to the policy and the reward beside the run. */
import type { ModelId } from "../engine/engine.ts";
import type { Scored } from "../reward/index.ts";
import { RewardError } from "../util/errors.ts";
import type { GoldCheck } from "./evaluate.ts";
import type { OnlineRun } from "./online-run.ts";
import { type Prompt, type Rollout, rollOut, scoredRows } from "./rollout.ts";

/** The parts of a run that probes need. */
export type Probed = Pick<
  OnlineRun,
  "context" | "inputs" | "models" | "reward" | "loop" | "state" | "stopwatch" | "tell"
>;

/** The first distinct prompts of the monitoring set, or of the training prompts if there is none. */
export function probesOf(
  { inputs }: Pick<Probed, "inputs">,
  count: number,
): { prompts: Prompt[]; check: GoldCheck | null } {
  const { monitor, monitorCheck, check } = inputs.measuring;
  const own = monitor.length > 0;
  const distinct = new Map((own ? monitor : inputs.prompts).map((prompt) => [prompt.tokens.join(" "), prompt]));
  return { prompts: [...distinct.values()].slice(0, count), check: own ? monitorCheck : check };
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
