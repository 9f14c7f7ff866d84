/** The option `--field prompt=question`: Ballast's name for a field, and the file's. */
import { DataError, UsageError } from "../../../util/errors.ts";

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
