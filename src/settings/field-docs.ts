/** What docs/config.md says about each field: the table rows are the only place that explains a setting in words. */
import { readFileSync } from "node:fs";

export interface DocumentedField {
  /** The default as the table shows it; "required" if the field must be given. */
  readonly defaultValue: string;
  readonly expected: string;
  /** Meaning, unit and source, in Markdown. */
  readonly meaning: string;
}

const file = new URL("../../docs/config.md", import.meta.url);

/** The rows of the tables in docs/config.md by field (`fields()` has the same paths); two rows for a field stay two entries. */
export function documentedFields(): (readonly [path: string, DocumentedField])[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => {
      const [keys = "", defaultValue = "", expected = "", meaning = ""] = line.slice(2, -2).split(" | ");
      const entry = { defaultValue: defaultValue.replaceAll("`", ""), expected, meaning };
      return [...keys.matchAll(/`([^`]+)`/g)].flatMap(([, pattern]) =>
        expand(pattern!).map((path) => [path, entry] as const),
      );
    });
}

/** Expands `{sft,reward}.keep` to sft.keep and reward.keep. */
function expand(pattern: string): string[] {
  const [whole, options] = /\{([^}]+)\}/.exec(pattern) ?? [];
  return whole ? options!.split(",").flatMap((option) => expand(pattern.replace(whole, option))) : [pattern];
}
