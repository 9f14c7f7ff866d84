/** The option `--field prompt=question`: Ballast's name for a field, and the file's. */
import { UsageError } from "../../../util/errors.ts";

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
