/** `ballast merge`: an adapter and its base as one whole model, in a folder of its own. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Merged, mergeAdapter } from "../../../models/merge-adapter.ts";
import { type DtypeName, writtenFormats } from "../../../models/number-formats.ts";
import { writeFolder } from "../../../trainer/atomic-folder.ts";
import { writeDurably } from "../../../util/durable.ts";
import { BallastError, messageOf, UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { remedyFor } from "../../../util/system-faults.ts";
import { isAdapterFolder } from "../../../util/weight-files.ts";
import { findModel } from "../../find-model.ts";
import { jsonLine } from "../../json-line.ts";
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

/** What a model's folder holds beside configuration and weights; the adapter's counts before the base's. */
const companions = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "reward.json",
];

/** Writes the folder completely or not at all. Throws UsageError if there is no adapter, or the folder exists. */
export async function merge({
  model,
  out,
  dtype = "fp32",
  workspace,
  json = false,
  terminal,
}: MergeOptions): Promise<number> {
  if (existsSync(out) && (!statSync(out).isDirectory() || readdirSync(out).length > 0))
    throw new UsageError(`${out} exists already`, "Name a new folder: nothing is overwritten.");
  const folder = await findModel(model, workspace);
  if (!isAdapterFolder(folder))
    throw new UsageError(
      `${folder} holds no adapter: there is nothing to merge`,
      "A whole model is exported: ballast export RUN --format model.",
    );
  let merged: Merged | undefined;
  const write = async (to: string) => {
    merged = mergeAdapter(folder, to, { format: writtenFormats[dtype] });
    for (const name of companions) {
      const path = [folder, merged.base].map((place) => join(place, name)).find(existsSync);
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
