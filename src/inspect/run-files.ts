/** Reads JSON files in a run's folder for display: files that are half written, or not Ballast's, count as absent. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { recordedRules } from "../control/rules/load-rules.ts";
import type { Rule } from "../control/rules/rule.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { fromJson } from "../util/json-values.ts";
import type { RunPlace } from "./places.ts";

/** Largest file that is read, in bytes. */
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

/** The rules in force in the run; null before PPO has begun. */
export function rulesOf(place: Pick<RunPlace, "folder"> | null): readonly Rule[] | null {
  return recordedRules(fileOf(place, "rules.json"));
}

/** A number, including NaN. */
const number = z.custom<number>((value) => typeof value === "number");
const ends = { low: number, high: number };
const model = z.looseObject({ figures: z.record(z.string(), z.looseObject({ mean: number, ...ends, n: number })) });
/** The fields that are read from the evaluation file. */
const evaluation = z.looseObject({
  samples: number,
  temperature: number,
  shares: z.array(z.string()),
  before: model.nullable(),
  after: model,
  differences: z.record(z.string(), z.looseObject({ difference: number, ...ends })),
});

/** The run's evaluation; null if the run has not reached it. */
export function evaluationOf(place: Pick<RunPlace, "folder"> | null): Evaluation | null {
  const file = fileOf(place, "evaluation.json");
  return evaluation.safeParse(file).success ? (file as Evaluation) : null;
}
