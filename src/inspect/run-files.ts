/** JSON files of a run's folder, for whoever shows them: what is half written, or not ours, is taken for absent. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { recordedRules } from "../control/rules/load-rules.ts";
import type { Rule } from "../control/rules/rule.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { fromJson } from "../util/json-values.ts";
import type { RunPlace } from "./places.ts";

/** Bytes. */
const largestFile = 64 << 20;

export function fileOf(place: Pick<RunPlace, "folder"> | null, name: string): unknown {
  if (place === null) return null;
  const path = join(place.folder, name);
  if (!existsSync(path) || statSync(path).size > largestFile) return null;
  try {
    return fromJson(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** The rules that the run is under; null before PPO has begun. */
export function rulesOf(place: Pick<RunPlace, "folder"> | null): readonly Rule[] | null {
  return recordedRules(fileOf(place, "rules.json"));
}

/** NaN too. */
const number = z.custom<number>((value) => typeof value === "number");
const ends = { low: number, high: number };
const model = z.looseObject({ figures: z.record(z.string(), z.looseObject({ mean: number, ...ends, n: number })) });
/** What is read of it. */
const evaluation = z.looseObject({
  samples: number,
  temperature: number,
  shares: z.array(z.string()),
  before: model.nullable(),
  after: model,
  differences: z.record(z.string(), z.looseObject({ difference: number, ...ends })),
});

/** Null before the run has got there. */
export function evaluationOf(place: Pick<RunPlace, "folder"> | null): Evaluation | null {
  const file = fileOf(place, "evaluation.json");
  return evaluation.safeParse(file).success ? (file as Evaluation) : null;
}
