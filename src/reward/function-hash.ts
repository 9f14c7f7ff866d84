/** The hash of a user's reward function: of its file and of every file that it imports by a relative path. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { messageOf, RewardError } from "../util/errors.ts";

/** Matches `from "./x"`, `import "./x"`, `import("./x")`, `require("./x")`; a match in a comment does no harm. */
const relativeImport = /(?:from|import|require)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;
const suffixes = ["", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json", "/index.ts", "/index.js"];

/** SHA-256 in hexadecimal, independent of the folder's location. Errors: RewardError if a file cannot be read. */
export function hashFunction(path: string): string {
  const files = new Map<string, Buffer>();
  collect(resolve(path), files);
  const hash = createHash("sha256");
  const names = new Map(
    [...files.keys()].map((file) => [
      relative(dirname(resolve(path)), file)
        .split(sep)
        .join("/"),
      file,
    ]),
  );
  for (const name of [...names.keys()].sort()) {
    const content = files.get(names.get(name)!)!;
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function collect(file: string, files: Map<string, Buffer>): void {
  if (files.has(file)) return;
  const content = contentOf(file);
  files.set(file, content);
  for (const [, specifier] of content.toString("utf8").matchAll(relativeImport)) {
    const imported = resolveImport(join(dirname(file), specifier!));
    if (imported) collect(imported, files);
  }
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new RewardError(`the reward function ${file} cannot be read: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
}

function resolveImport(path: string): string | undefined {
  // TypeScript sources may name the file that they compile to.
  const bases = [path, path.replace(/\.([cm]?)js$/, ".$1ts")];
  return bases
    .flatMap((base) => suffixes.map((suffix) => base + suffix))
    .find((file) => existsSync(file) && statSync(file).isFile());
}
