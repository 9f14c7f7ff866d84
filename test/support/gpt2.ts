/** The tiny GPT-2 of `test/fixtures/gpt2-tiny.json`, and folders for a test's files. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LossRequest, ModelConfig, OptimStepRequest, Sequence } from "../../src/engine/engine.ts";
import { writeModelFolder } from "../../src/models/hf-folder.ts";
import type { NamedTensor } from "../../src/models/safetensors.ts";
import { afterThisFile } from "./afterwards.ts";

interface FixtureTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
type FixtureTensors = Readonly<Record<string, FixtureTensor>>;

interface FixtureLoss {
  /** The loss's own arrays and settings, without its name and sequences. */
  readonly request: Record<string, unknown>;
  readonly loss: number;
  readonly gradSquaredNorm: number;
  readonly gradients: FixtureTensors;
}

interface Fixture {
  readonly config: Omit<ModelConfig, "tieEmbeddings">;
  readonly parameters: FixtureTensors;
  readonly untied: FixtureTensors;
  readonly score: FixtureTensors;
  readonly sequences: readonly Sequence[];
  readonly rejected: readonly Sequence[];
  readonly forward: Readonly<Record<"1" | "0.7", { logprobs: number[][]; entropy: number[][] }>> & {
    readonly values: number[][];
    readonly scores: number[];
    readonly rejectedScores: number[];
  };
  readonly losses: Readonly<
    Record<"cross_entropy" | "cross_entropy_untied" | "policy" | "value" | "pairwise", FixtureLoss>
  >;
  readonly step: {
    readonly request: OptimStepRequest;
    readonly gradNorms: number[];
    readonly parameters: FixtureTensors;
  };
}

export const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/gpt2-tiny.json", import.meta.url), "utf8"),
) as Fixture;

export const tiedConfig: ModelConfig = { ...fixture.config, tieEmbeddings: true };
export const untiedConfig: ModelConfig = { ...fixture.config, tieEmbeddings: false };

/** The fixture's parameters by name: the trunk, and the given heads. */
export function fixtureTensors(...heads: ("untied" | "score")[]): Map<string, NamedTensor> {
  const all = Object.assign({}, fixture.parameters, ...heads.map((head) => fixture[head])) as FixtureTensors;
  return new Map(
    Object.entries(all).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
  );
}

export type FixtureModel = "tied" | "untied" | "score";

/** Writes the fixture's model into a folder; `score` has only a scalar head. */
export function writeFixture(model: FixtureModel): string {
  const folder = temporaryFolder();
  writeModelFolder(folder, {
    config: model === "untied" ? untiedConfig : tiedConfig,
    heads: model === "score" ? ["scalar"] : ["lm"],
    tensors: model === "tied" ? fixtureTensors() : fixtureTensors(model),
  });
  return folder;
}

/** The fixture's losses in the engine's form, each with its model. */
export const fixtureLosses = Object.entries(fixture.losses).map(([key, expected]) => {
  const name = key === "cross_entropy_untied" ? "cross_entropy" : key;
  const sequences =
    name === "pairwise" ? { chosen: fixture.sequences, rejected: fixture.rejected } : { sequences: fixture.sequences };
  const model: FixtureModel = key === "cross_entropy_untied" ? "untied" : /value|pairwise/.test(key) ? "score" : "tied";
  return { key, model, expected, request: { name, ...sequences, ...expected.request } as LossRequest };
});

/** A new empty folder, removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ballast-"));
  afterThisFile(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Largest |a - b| / (1 + |b|) over rows of numbers; infinite if lengths differ or only one of two is a number. */
export function gap(a: readonly (readonly number[])[] | undefined, b: readonly (readonly number[])[]): number {
  if (a === undefined || a.length !== b.length || a.some((row, i) => row.length !== b[i]!.length)) return Infinity;
  const gaps = a.flatMap((row, i) =>
    row.map((x, t) => (Object.is(x, b[i]![t]) ? 0 : Math.abs(x - b[i]![t]!) / (1 + Math.abs(b[i]![t]!)))),
  );
  return gaps.reduce((largest, x) => (x >= 0 ? Math.max(largest, x) : Infinity), 0);
}
