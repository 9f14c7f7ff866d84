/** `ballast pull`: a model or a data set from the Hugging Face Hub into the cache that Python shares. */
import { hubReferenceText, parseHubReference } from "../../../hub/index.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";
import { pullShown } from "./pull-shown.ts";

export interface PullCommandOptions {
  /** `ORG/NAME[@REVISION]`, `datasets/ORG/NAME`, `hf://...`. */
  readonly names: readonly string[];
  /** Names without `datasets/` are data sets. */
  readonly dataset?: boolean;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Files in the cache are compared with their hashes, too. */
  readonly verify?: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Prints the folder or file in the cache of each name. */
export async function pullCommand(options: PullCommandOptions): Promise<number> {
  const { names, dataset = false, include, exclude, verify = false, json = false, terminal } = options;
  const references = names.map((name) => parseHubReference(name, { type: dataset ? "dataset" : "model" }));
  for (const reference of references) {
    const pulled = await pullShown({
      reference,
      verify,
      terminal,
      ...(include && { include }),
      ...(exclude && { exclude }),
    });
    const { path, files, bytes, cached } = pulled;
    const name = hubReferenceText(pulled.reference);
    if (json) terminal.out(jsonLine({ name, path, files, bytes, cached }));
    else {
      terminal.out(path);
      const place =
        reference.type === "model"
          ? `model: {path: "${name}"}`
          : `data: {path: "${name}${reference.file === "" ? `/${files[0] ?? "FILE"}` : ""}"}`;
      terminal.note(terminal.noteColours.dim(`in a configuration: ${place}`));
    }
  }
  return 0;
}
