/** `ballast export --format model`: a model in a folder of its own, in the format of numbers that the user chooses. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { convertModelFolder } from "../../../models/hf-folder.ts";
import { type DtypeName, writtenFormats } from "../../../models/number-formats.ts";
import { writeFolder } from "../../../trainer/atomic-folder.ts";
import { stateOf } from "../../../trainer/model-folder.ts";
import { writeDurably } from "../../../util/durable.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { remedyFor } from "../../../util/system-faults.ts";
import { isAdapterFolder, weightFilesIn } from "../../../util/weight-files.ts";
import { findModel } from "../../find-model.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";

export interface ExportModelOptions {
  /** A model's folder, a run's id or a run's folder. */
  readonly run: string;
  /** The new folder. */
  readonly out?: string | undefined;
  readonly dtype: DtypeName;
  readonly workspace: string;
  readonly terminal: Terminal;
}

/** What a model's folder holds beside configuration and weights, as far as it is there. */
const companions = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "reward.json",
];

/**
 * Writes the folder completely or not at all.
 * @throws UsageError if no new folder is named; CheckpointError if the model cannot be read or a number is beyond the format
 */
export async function exportModel({ run, out, dtype, workspace, terminal }: ExportModelOptions): Promise<void> {
  if (out === undefined) throw new UsageError("a model is written to a folder", "Name a new one: --out DIR");
  if (existsSync(out) && (!statSync(out).isDirectory() || readdirSync(out).length > 0))
    throw new UsageError(`${out} exists already`, "Name a new folder: nothing is overwritten.");
  const folder = await findModel(run, workspace);
  if (isAdapterFolder(folder))
    throw new UsageError(
      `${folder} holds an adapter, not a whole model`,
      `Merge it with its base: ballast merge ${shellWord(shortPath(folder))} ${shellWord(out)} --dtype ${dtype}`,
    );
  const state = stateOf(folder);
  if (state !== folder)
    throw new UsageError(
      `the model in ${folder} is kept by an engine, as ${state}`,
      "Export it with that engine's tools.",
    );
  const write = async (to: string) => {
    convertModelFolder(folder, to, { format: writtenFormats[dtype] });
    for (const name of companions) {
      const path = join(folder, name);
      if (existsSync(path)) writeDurably(join(to, name), readFileSync(path));
    }
  };
  try {
    await writeFolder({ folder: out, state: { format: 1, dtype }, write });
  } catch (error) {
    if (error instanceof BallastError) throw error;
    const hint = remedyFor(error) ?? "Name a different folder, or check the permissions of the one above it.";
    throw new BallastError(`cannot write ${out}: ${messageOf(error)}`, hint, { cause: error });
  }
  const { files } = weightFilesIn(out);
  const bytes = files.reduce((sum, file) => sum + statSync(join(out, file)).size, 0);
  const size = `${(bytes / 1e6).toPrecision(3)} MB in ${files.length === 1 ? "one file" : `${files.length} files`}`;
  terminal.note(
    `the model in ${printableLine(shortPath(folder))} written to ${printableLine(shortPath(out))} as ${dtype}: ${size}`,
  );
}
