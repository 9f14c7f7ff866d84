/**
 * What a run's last critic says of held-out states, and what continuations of the last policy earn from them: the two sides of the critic's error
 * against Monte Carlo values.
 */
import { join } from "node:path";
import { checkpointName } from "../config/checkpoint-names.ts";
import { configOf } from "../inspect/places.ts";
import { finalScore } from "../rl/index.ts";
import { openRunEngine } from "../run/run-engine.ts";
import { responseEnd } from "../text/index.ts";
import { encodeRows } from "../trainer/encoded-rows.ts";
import { ownRewardModel } from "../trainer/evaluate-run.ts";
import { stateOf } from "../trainer/model-folder.ts";
import { openReward, rewardFolders } from "../trainer/open-reward.ts";
import { readScales } from "../trainer/reward-scales.ts";
import { type Prompt, type Responded, rollOut, rolloutOf, scoredRows } from "../trainer/rollout.ts";
import { openRows } from "../trainer/run-rows.ts";
import { openTokenizer } from "../trainer/run-tokenizer.ts";
import { modelSizes } from "../trainer/stage-models.ts";
import { UsageError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { WholeRun } from "./run-work.ts";
import type { JudgedState } from "./studies/value-error.ts";
import type { Tools } from "./work-tools.ts";

export interface ValuesInput {
  /** The cell of the run, which has a checkpoint of its last iteration, and its KL in the loss: its returns are scores. */
  readonly run: string;
  readonly states: number;
  readonly continuations: number;
}

/**
 * One state in the middle of an answer to each held-out prompt: the prompt and the tokens before one of the answer's, each equally likely. Throws
 * UsageError if the run's rewards are more than its scores, or discounted.
 */
export async function measureValues({ run, states, continuations }: ValuesInput, tools: Tools): Promise<JudgedState[]> {
  const { folder: workspace, results, onNote } = tools;
  const { run: id } = results[run] as WholeRun;
  const folder = join(workspace, id);
  const config = configOf({ folder });
  const ppo = config.ppo!;
  if ((ppo.kl.in === "reward" && ppo.kl.coef > 0) || ppo.gamma !== 1 || ppo.whitenRewards)
    throw new UsageError(
      "values are measured against scores: the run's rewards have a KL in them, are discounted or whitened",
      "ppo.kl.in=loss ppo.gamma=1 ppo.whitenRewards=false",
    );
  const checkpoint = join(folder, "ppo", checkpointName(ppo.iterations));
  const { engine } = await openRunEngine({ config, before: null, onNote });
  try {
    const rows = openRows(config);
    const tokenizer = await openTokenizer(config, { folder, texts: rows.texts });
    const policy = await engine.loadModel(stateOf(join(checkpoint, "policy")), { frozen: true });
    const shared = ppo.criticKind === "shared";
    const critic = shared
      ? policy
      : await engine.loadModel(stateOf(join(checkpoint, "critic")), { role: "critic", frozen: true });
    const { context } = await modelSizes(engine, join(folder, "ppo", "final"));
    const { prompts: all, maxNewTokens } = encodeRows({ config, rows, tokenizer }).evaluation(context);
    const { seed } = config.evaluation;
    // A file may be in the order of its kinds.
    const mixed = random(seed, "states").shuffle(all);
    const prompts = Array.from({ length: states }, (_, k) => mixed[k % mixed.length]!);
    const request = { engine, tokenizer, model: policy.id, temperature: ppo.temperature, topK: 0, topP: 1 };
    const quiet = { onProgress: () => {} };
    const answers = await rollOut({ ...request, ...quiet, prompts, maxNewTokens, seed });
    const { values } = await engine.forward(critic.id, { sequences: answers.sequences, outputs: ["values"] });
    const chosen = answers.responses_B_T.map((tokens, k) => ({
      prompt: prompts[k]!,
      at: random(seed, "state", k).integer(tokens.length),
      tokens,
      index: k,
    }));

    // One call for each length of a beginning: an answer may be as long as it might have been from its start.
    const responses: Responded[] = [];
    const owners: number[] = [];
    for (const at of [...new Set(chosen.map((one) => one.at))].sort((a, b) => a - b)) {
      const group = chosen
        .filter((one) => one.at === at)
        .flatMap((one) => Array(continuations).fill(one) as (typeof one)[]);
      const begun = group.map(
        ({ prompt, tokens }): Prompt => ({ row: prompt.row, tokens: [...prompt.tokens, ...tokens.slice(0, at)] }),
      );
      const streamsFrom = random(seed, "continuations", at).uint32();
      const rest = await rollOut({
        ...{ ...request, ...quiet, prompts: begun },
        ...{ maxNewTokens: maxNewTokens - at, seed: streamsFrom },
      });
      for (const [j, { prompt, tokens, index }] of group.entries()) {
        const whole = [...tokens.slice(0, at), ...rest.responses_B_T[j]!];
        const { length, text, stopped } = responseEnd(tokenizer, whole);
        responses.push({ prompt, tokens: whole.slice(0, length), samplerLogprobs: [], text, stopped });
        owners.push(index);
      }
    }
    const rollout = rolloutOf(responses);
    const reward = await openReward({
      ...{ engine, tokenizer, settings: ppo, folders: rewardFolders(ppo, ownRewardModel(folder)) },
      ...{ reference: null, seed: config.seed, scales: readScales(folder) },
    });
    try {
      await reward.ready();
      const { score, steps } = await reward.score(scoredRows(rollout));
      // Steps that end before the state do not belong to its return.
      if (steps) throw new UsageError("a critic's error is not measured with rewards for steps");
      const returns = chosen.map((): number[] => []);
      for (const [j, one] of score.entries()) returns[owners[j]!]!.push(finalScore(one, rollout.endsWithEos[j]!, ppo));
      return chosen.map(({ at, index }) => ({ value: values[index]![at]!, returns: returns[index]! }));
    } finally {
      await reward.close();
    }
  } finally {
    await engine.close();
  }
}
