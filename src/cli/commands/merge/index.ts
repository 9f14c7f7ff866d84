/** `ballast merge`: an adapter and its base as one whole model, in a folder of its own. */
import { type Merged, mergeAdapter } from "../../../models/merge-adapter.ts";
import { type DtypeName, writtenFormats } from "../../../models/number-formats.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { isAdapterFolder } from "../../../util/weight-files.ts";
import { findModel } from "../../find-model.ts";
import { jsonLine } from "../../json-line.ts";
import { refuseExisting, writeNewModel } from "../../new-model-folder.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";

export interface MergeOptions {
  /** The adapter's folder, a run's id or a run's folder. */
  readonly model: string;
  /** The new folder. */
  readonly out: string;
  readonly dtype?: DtypeName;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Writes the folder completely or not at all. Throws UsageError if there is no adapter, or the folder exists. */
export async function merge({
  model,
  out,
  dtype = "fp32",
  workspace,
  json = false,
  terminal,
}: MergeOptions): Promise<number> {
  refuseExisting(out);
  const folder = await findModel(model, workspace);
  if (!isAdapterFolder(folder))
    throw new UsageError(
      `${folder} holds no adapter: there is nothing to merge`,
      "A whole model is exported: ballast export RUN --format model.",
    );
  let merged: Merged | undefined;
  await writeNewModel(out, dtype, (to) => {
    merged = mergeAdapter(folder, to, { format: writtenFormats[dtype] });
    return [folder, merged.base];
  });
  const { base, changed, lost } = merged as Merged;
  if (json) terminal.out(jsonLine({ folder: out, base, dtype, changed, lost }));
  else {
    const short = (path: string) => printableLine(shortPath(path));
    terminal.out(`the adapter in ${short(folder)} merged with ${short(base)} into ${short(out)} as ${dtype}`);
    const share = changed === 0 ? "none" : `${((100 * lost) / changed).toFixed(1)}%`;
    terminal.out(
      `${changed.toLocaleString("en-US")} entries changed; ${dtype} loses ${share} of them: they round back to the base's number`,
    );
  }
  return 0;
}
