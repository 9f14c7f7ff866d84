/** The tiny models of `test/fixtures/family-*.json`: what transformers computes with them, and their folders. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sequence } from "../../src/engine/engine.ts";
import { wholeSequences } from "../../src/models/attention.ts";
import { familyNames, languageHead, parameterInputs, trunk } from "../../src/models/family.ts";
import { readModelFolder } from "../../src/models/hf-folder.ts";
import { type NamedTensor, writeSafetensors } from "../../src/models/safetensors.ts";
import { input } from "../../src/tensor/graph.ts";
import { Session } from "../../src/tensor/session.ts";
import { temporaryFolder } from "./gpt2.ts";

interface StoredCase {
  readonly config: Readonly<Record<string, unknown>>;
  readonly saved: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: string }>>;
  readonly sequences: readonly (readonly number[])[];
  readonly logits: readonly string[];
  readonly loss: number;
  readonly gradients: string;
  readonly prompts: readonly (readonly number[])[];
  readonly greedy: readonly (readonly number[])[];
}

export interface FamilyCase extends Omit<StoredCase, "parameters" | "sequences" | "logits" | "gradients"> {
  readonly title: string;
  readonly parameters: ReadonlyMap<string, NamedTensor>;
  readonly sequences: readonly Sequence[];
  /** [length, vocabulary] of each sequence. */
  readonly logits: readonly (readonly number[])[];
  readonly gradients: ReadonlyMap<string, number[]>;
}

export function float32Of(base64: string): number[] {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

/** All cases of the families that have a fixture: all but GPT-2, which has one of its own. */
export const familyCases: readonly FamilyCase[] = familyNames.flatMap((family) => {
  const path = new URL(`../fixtures/family-${family}.json`, import.meta.url);
  if (family === "gpt2" && !existsSync(path)) return [];
  const stored = JSON.parse(readFileSync(path, "utf8")) as Record<string, StoredCase>;
  return Object.entries(stored).map(([variant, one]) => {
    const parameters = new Map(
      Object.entries(one.parameters).map(([name, { shape, data }]): [string, NamedTensor] => [
        name,
        { shape, data: Float32Array.from(Buffer.from(data, "base64"), (byte) => ((byte << 24) >> 24) / 64) },
      ]),
    );
    const flat = float32Of(one.gradients);
    let offset = 0;
    const gradients = new Map(
      [...parameters].map(([name, { data }]): [string, number[]] => {
        offset += data.length;
        return [name, flat.slice(offset - data.length, offset)];
      }),
    );
    return {
      ...one,
      title: `${family}: ${variant}`,
      parameters,
      gradients,
      sequences: one.sequences.map((tokens) => ({ tokens, start: 1 })),
      logits: one.logits.map(float32Of),
    };
  });
});

/** Writes a case's model into a new folder, with one of its configurations. */
export function writeCase({ parameters }: FamilyCase, config: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeSafetensors(join(folder, "model.safetensors"), parameters);
  return folder;
}

/** Logits of a folder's language model after every token of each sequence, [length * vocabulary] numbers a sequence. */
export async function logitsOf(folder: string, sequences: readonly (readonly number[])[]): Promise<number[][]> {
  const { config, tensors } = readModelFolder(folder);
  const reading = wholeSequences(input("ids", ["B", "S"], "int32"));
  const parameters = parameterInputs(config, ["lm"]);
  const logits = languageHead(config, parameters, trunk(config, parameters, reading));
  const session = await Session.compile({ logits }, { threads: 1 });
  const rows: number[][] = [];
  for (const tokens of sequences) {
    const ids = { data: Int32Array.from(tokens), shape: [1, tokens.length] };
    const out = await session.run({ ...Object.fromEntries(tensors), ids });
    rows.push(Array.from(out.logits!.data as Float32Array));
  }
  await session.release();
  return rows;
}

/** Largest |a - b| over the largest |b|. */
export function relative(a: ArrayLike<number>, b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const largest = Math.max(...b.map(Math.abs));
  const worst = b.reduce((most, value, i) => Math.max(most, Math.abs(a[i]! - value)), 0);
  return Number.isFinite(worst) ? worst / largest : Number.POSITIVE_INFINITY;
}
