/** Checks of what is sent to a server: one that is wrong has made servers hang, or give wrong numbers to all of their models until a restart. */
import { EngineError } from "../../util/errors.ts";
import type { CrossEntropyLoss, ModelConfig, PolicyLoss, Sequence } from "../engine.ts";

type Sizes = Pick<ModelConfig, "vocabularySize" | "context">;

export function checkSequences(sequences: readonly Sequence[], { vocabularySize, context }: Sizes): void {
  if (sequences.length === 0) throw new EngineError("a call needs at least one sequence");
  for (const [b, { tokens, start }] of sequences.entries()) {
    if (!(Number.isInteger(start) && start >= 1 && start <= tokens.length))
      throw new EngineError(
        `sequence ${b} of ${tokens.length} tokens starts at ${start}; it must start within 1 to ${tokens.length}`,
      );
    if (tokens.length > context)
      throw new EngineError(`sequence ${b} has ${tokens.length} tokens, and the model reads ${context}`);
    checkTokens(tokens, { what: `sequence ${b}`, vocabularySize });
  }
}

export function checkPrompts(
  prompts: readonly (readonly number[])[],
  { vocabularySize, context, maxNewTokens }: Sizes & { readonly maxNewTokens: number },
): void {
  if (prompts.length === 0) throw new EngineError("sampling needs at least one prompt");
  for (const [b, prompt] of prompts.entries()) {
    if (prompt.length === 0) throw new EngineError(`prompt ${b} is empty`);
    if (prompt.length + maxNewTokens > context)
      throw new EngineError(
        `prompt ${b} has ${prompt.length} tokens, and with ${maxNewTokens} new ones they are more than the ${context} that the model reads`,
      );
    checkTokens(prompt, { what: `prompt ${b}`, vocabularySize });
  }
}

function checkTokens(
  tokens: readonly number[],
  { what, vocabularySize }: Pick<Sizes, "vocabularySize"> & { readonly what: string },
): void {
  for (let t = 0; t < tokens.length; t++) {
    const token = tokens[t]!;
    if (!(Number.isInteger(token) && token >= 0 && token < vocabularySize))
      throw new EngineError(`token ${token} of ${what} is outside the vocabulary of ${vocabularySize}`);
  }
}

/** Each array of a loss has an entry for each scored token. Numbers that are not finite are counted by the loss, and never sent. */
export function checkPerToken(loss: CrossEntropyLoss | PolicyLoss): void {
  const { sequences, weights } = loss;
  const arrays: Readonly<Record<string, readonly (readonly number[])[] | undefined>> =
    loss.name === "cross_entropy"
      ? { weights }
      : {
          ...{ weights, oldLogprobs: loss.oldLogprobs, advantages: loss.advantages },
          ...(loss.config.kl && { refLogprobs: loss.refLogprobs ?? [] }),
        };
  for (const [name, rows = []] of Object.entries(arrays)) {
    if (rows.length !== sequences.length)
      throw new EngineError(`${name} has ${rows.length} rows for ${sequences.length} sequences`);
    for (const [b, { tokens, start }] of sequences.entries())
      if (rows[b]!.length !== tokens.length - start)
        throw new EngineError(
          `${name} of sequence ${b} has ${rows[b]!.length} entries for ${tokens.length - start} scored tokens`,
        );
  }
}
