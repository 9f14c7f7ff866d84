/** A whole model in a new folder of its own, for the commands that write one: completely or not at all, with what lies beside a model. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DtypeName } from "../models/number-formats.ts";
import { writeFolder } from "../trainer/atomic-folder.ts";
import { writeDurably } from "../util/durable.ts";
import { BallastError, messageOf, UsageError } from "../util/errors.ts";
import { remedyFor } from "../util/system-faults.ts";

/** What a model's folder holds beside configuration and weights, as far as it is there. */
const companions = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "reward.json",
];

/** Throws UsageError if the folder would overwrite something. */
export function refuseExisting(out: string): void {
  if (existsSync(out) && (!statSync(out).isDirectory() || readdirSync(out).length > 0))
    throw new UsageError(`${out} exists already`, "Name a new folder: nothing is overwritten.");
}

/**
 * Writes the folder `out`. `writeModel` writes configuration and weights into the folder that it is given, and answers with the folders whose other files
 * are copied: the first that has a file counts. Throws BallastError if the folder cannot be written.
 */
export async function writeNewModel(
  out: string,
  dtype: DtypeName,
  writeModel: (to: string) => readonly string[],
): Promise<void> {
  const write = async (to: string) => {
    const from = writeModel(to);
    for (const name of companions) {
      const path = from.map((place) => join(place, name)).find(existsSync);
      if (path !== undefined) writeDurably(join(to, name), readFileSync(path));
    }
  };
  try {
    await writeFolder({ folder: out, state: { format: 1, dtype }, write });
  } catch (error) {
    if (error instanceof BallastError) throw error;
    const hint = remedyFor(error) ?? "Name a different folder, or check the permissions of the one above it.";
    throw new BallastError(`cannot write ${out}: ${messageOf(error)}`, hint, { cause: error });
  }
}
