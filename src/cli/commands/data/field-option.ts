/** The option `--field prompt=question`: Ballast's name for a field, and the file's. */
import { existsSync } from "node:fs";
import { DataError, UsageError } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";

/** The file's names by Ballast's. Throws UsageError for a pair without one of them. */
export function fieldNames(pairs: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, column] = pair.split(/=(.*)/s);
      if (!name || !column)
        throw new UsageError(`--field ${pair} names no column`, "write Ballast's name first: --field prompt=question");
      return [name, column];
    }),
  );
}

/** Throws UsageError for a pair of names among the files. */
export function checkFiles(files: readonly string[]): void {
  const pair = files.find((word) => /^\w+=[^/]+$/.test(word) && !existsSync(word));
  if (pair === undefined) return;
  const others = files.filter((word) => word !== pair).map((word) => shellWord(word));
  throw new UsageError(
    `there is no file ${pair}`,
    `a column of another name is named with --field: ballast data ${[...others, "--field", shellWord(pair)].join(" ")}`,
  );
}

/** Says a proposal of `fields` as `--field`, too. */
export function withOption<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const names = error instanceof DataError && /fields: \{([^}]*)\}/.exec(error.hint ?? "")?.[1];
    if (names && !names.includes("..."))
      (error as DataError).hint += `\nhere: ${names
        .split(", ")
        .map((name) => `--field ${name.replace(": ", "=")}`)
        .join(" ")}`;
    throw error;
  }
}
