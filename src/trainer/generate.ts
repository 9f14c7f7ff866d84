/** Lets a model answer prompts, for `ballast generate`. */
import { encodePrompt, RowsError, useAll } from "../data/index.ts";
import type { Engine } from "../engine/engine.ts";
import { sum } from "../rl/index.ts";
import type { Message, Tokenizer } from "../text/index.ts";
import { quote } from "../util/quote.ts";
import { take } from "../util/take.ts";
import { promptText, rollOut } from "./rollout.ts";
import type { Generation } from "./run-types.ts";
import { loadTrunk } from "./stage-models.ts";

export interface GenerateOptions {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** A Hugging Face folder. */
  readonly folder: string;
  readonly prompts: readonly (readonly Message[])[];
  /** Answers per prompt. */
  readonly samples: number;
  /** Longest answer in tokens; less if the prompt leaves less room in the context. */
  readonly maxNewTokens: number;
  /** Sampling temperature; 0 is greedy. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/** Answers in the order of the prompts, the samples of each prompt together. Throws DataError if a prompt does not fit the context. */
export async function generate(options: GenerateOptions): Promise<Generation[]> {
  const { engine, tokenizer, folder, samples, maxNewTokens, seed } = options;
  const model = await loadTrunk(engine, folder, { tokenizer, heads: ["lm"], seed, frozen: true });
  const { context } = model.config;
  const rows = useAll(options.prompts, (messages) => {
    const row = { prompt: messages, reference: null };
    const tokens = encodePrompt(row, tokenizer, { context, maxNewTokens: 1, longPrompts: "skip" });
    if (tokens === null) throw tooLong(promptText(row), context);
    return Array.from({ length: samples }, () => ({ row, tokens }));
  }).flat();
  // A prompt's answers do not depend on its neighbours: each has its own room and its own random stream.
  const byRoom = new Map<number, number[]>();
  for (const [i, { tokens }] of rows.entries()) {
    const room = Math.min(maxNewTokens, context - tokens.length);
    byRoom.set(room, [...(byRoom.get(room) ?? []), i]);
  }
  const generations: Generation[] = [];
  for (const [room, indices] of byRoom) {
    const prompts = take(rows, indices);
    const rollout = await rollOut({
      ...options,
      model: model.id,
      prompts,
      maxNewTokens: room,
      streams: indices,
      onProgress: () => {},
    });
    for (const [b, i] of indices.entries()) {
      generations[i] = {
        prompt: promptText(rows[i]!.row),
        response: rollout.texts[b]!,
        stopReason: rollout.stopReasons[b]!,
        tokens: rollout.responses_B_T[b]!.length,
        logprob: sum(rollout.samplerLogprobs_B_T[b]!),
      };
    }
  }
  await engine.disposeModel(model.id);
  return generations;
}

function tooLong(prompt: string, context: number): RowsError {
  const problem = `a prompt and one new token take more than the context of ${context} tokens`;
  return new RowsError([
    { place: null, problem, value: quote(prompt, 60), hint: "shorten it, or ask a model that reads more" },
  ]);
}
