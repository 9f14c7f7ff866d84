/** `ballast export --format model`: a model in a folder of its own, in the format of numbers that the user chooses. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { convertModelFolder } from "../../../models/hf-folder.ts";
import { type DtypeName, writtenFormats } from "../../../models/number-formats.ts";
import { stateOf } from "../../../trainer/model-folder.ts";
import { UsageError } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { isAdapterFolder, weightFilesIn } from "../../../util/weight-files.ts";
import { findModel } from "../../find-model.ts";
import { refuseExisting, writeNewModel } from "../../new-model-folder.ts";
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

/**
 * Writes the folder completely or not at all.
 * @throws UsageError if no new folder is named; CheckpointError if the model cannot be read or a number is beyond the format
 */
export async function exportModel({ run, out, dtype, workspace, terminal }: ExportModelOptions): Promise<void> {
  if (out === undefined) throw new UsageError("a model is written to a folder", "Name a new one: --out DIR");
  refuseExisting(out);
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
  await writeNewModel(out, dtype, (to) => {
    convertModelFolder(folder, to, { format: writtenFormats[dtype] });
    return [folder];
  });
  const { files } = weightFilesIn(out);
  const bytes = files.reduce((sum, file) => sum + statSync(join(out, file)).size, 0);
  const size = `${(bytes / 1e6).toPrecision(3)} MB in ${files.length === 1 ? "one file" : `${files.length} files`}`;
  terminal.note(
    `the model in ${printableLine(shortPath(folder))} written to ${printableLine(shortPath(out))} as ${dtype}: ${size}`,
  );
}
