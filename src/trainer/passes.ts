/** Forward passes over any number of sequences, in micro-batches, with results in the order of the sequences. */
import type { Engine, ModelId, Sequence } from "../engine/engine.ts";
import { microBatches, take } from "./microbatches.ts";

export interface PassOptions {
  readonly engine: Engine;
  readonly model: ModelId;
  readonly sequences: readonly Sequence[];
  /** Divides the logits before the softmax. */
  readonly temperature?: number;
  /** Sequences a pass; 0 chooses. */
  readonly microBatch: number;
  /** Called before each pass; may throw to leave. */
  readonly poll: () => void;
}

/** Per-token outputs, aligned with the scored tokens. */
export async function tokenOutputs<K extends "logprobs" | "entropy" | "top1" | "values">(
  options: PassOptions,
  outputs: readonly K[],
): Promise<Record<K, number[][]>> {
  const rows = Object.fromEntries(outputs.map((output) => [output, []])) as unknown as Record<K, number[][]>;
  for (const { part, sequences } of parts(options)) {
    options.poll();
    const result = await options.engine.forward(options.model, {
      sequences,
      outputs,
      ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
    });
    for (const output of outputs) {
      for (const [j, i] of part.entries()) rows[output][i] = result[output]![j]!;
    }
  }
  return rows;
}

/** The scalar head at each sequence's last token. */
export async function finalScores(options: PassOptions): Promise<number[]> {
  const scores: number[] = [];
  for (const { part, sequences } of parts(options)) {
    options.poll();
    const result = await options.engine.forward(options.model, { sequences, outputs: ["score"] });
    for (const [j, i] of part.entries()) scores[i] = result.scores![j]!;
  }
  return scores;
}

function parts({ sequences, microBatch }: PassOptions): { part: number[]; sequences: Sequence[] }[] {
  const lengths = sequences.map(({ tokens }) => tokens.length);
  return microBatches(lengths, microBatch).map((part) => ({ part, sequences: take(sequences, part) }));
}
