/** Saves the minibatch of a skipped step for inspection. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { messageOf } from "../util/errors.ts";
import { toJson } from "../util/json-values.ts";
import type { StageContext } from "./stage-context.ts";

/** Writes `dumps/iteration-7-step-2.json` in the stage's folder. Returns in words where it is, or why it could not be written. */
export function dumpMinibatch(
  { folder }: StageContext,
  { iteration, step, content }: { iteration: number; step: number; content: Readonly<Record<string, unknown>> },
): string {
  const path = join(folder, "dumps", `iteration-${iteration}-step-${step}.json`);
  try {
    mkdirSync(join(folder, "dumps"), { recursive: true });
    writeDurably(path, toJson({ iteration, step, ...content }));
    return `its minibatch is in ${path}`;
  } catch (error) {
    return `its minibatch could not be written (${messageOf(error)})`;
  }
}
