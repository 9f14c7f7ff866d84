/** The scales of a run's reward functions, in a file of the run's folder: frozen with the first iteration, and the same after a resume or a rollback. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { sealRun } from "../config/run-manifest.ts";
import type { FunctionScales } from "../reward/index.ts";
import { writeDurably } from "../util/durable.ts";
import { readOwnJson } from "../util/json-values.ts";
import type { StageContext } from "./stage-context.ts";

const file = "reward-scales.json";

/** The scales in a run's folder; null before the first iteration. */
export function readScales(folder: string): FunctionScales | null {
  const path = join(folder, file);
  if (!existsSync(path)) return null;
  return readOwnJson(path, {
    remedy: "Restore it from a copy: the run's scores are normalised by it.",
  }) as FunctionScales;
}

export async function writeScales({ folder }: Pick<StageContext, "folder">, scales: FunctionScales): Promise<void> {
  const run = dirname(folder);
  writeDurably(join(run, file), `${JSON.stringify(scales, null, 2)}\n`);
  await sealRun(run);
}
