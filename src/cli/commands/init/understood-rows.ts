/** What files of rows can be used for in a run, found by reading them. */
import {
  createReport,
  guessUse,
  type PreferenceSource,
  readPromptRows,
  readsAs,
  type Survey,
  type SurveyOptions,
  survey,
} from "../../../data/index.ts";
import { onDisk } from "../../../hub/index.ts";
import type { Tokenizer } from "../../../text/index.ts";
import { isNumberReference } from "../../../trainer/gold-plan.ts";
import { DataError } from "../../../util/errors.ts";

type Use = Survey["use"];
type Fields = Readonly<Record<string, string>>;

export interface UnderstoodRows {
  readonly paths: readonly string[];
  /** What the rows are for first of all. */
  readonly use: Use;
  /** Column names by use, Ballast's first; null if the rows cannot be used for it. */
  readonly fields: Readonly<Record<Use, Fields | null>>;
  readonly survey: Survey;
  /** What the references of the prompts are; `answers`: texts of a few words, which a response can equal. */
  readonly references: "none" | "numbers" | "answers" | "texts";
}

export interface Reader {
  readonly tokenizer?: Tokenizer | undefined;
  readonly context?: number | undefined;
}

/** Rows that are read while the user waits; the run reads all. */
const rowsRead = 20_000;
const referencesRead = 500;
/** Most words of a reference that a response can be expected to equal. */
const fewWords = 4;

/**
 * Reads the files. `fields` are column names that the user gave. Throws DataError for files that cannot be read or whose columns say nothing;
 * its hint may propose names (`proposedFields`).
 */
export function understand(paths: readonly string[], fields: Fields, { tokenizer, context }: Reader): UnderstoodRows {
  const path = paths.map(onDisk);
  const source: PreferenceSource = { path, fields, limit: rowsRead };
  const use = guessUse(source);
  const measured: SurveyOptions = { use, source, tokenizer, context, show: 1, turns: "last" };
  const found = survey(measured);
  if (found.rows === 0 && found.bad !== null) throw new DataError(found.bad.message, found.bad.hint ?? undefined);
  const other = (as: Use, candidates: readonly Fields[]) =>
    use === as ? fields : (candidates.find((names) => readsAs({ path, fields: names }, as)) ?? null);
  const { chosen = "chosen", prompt = "prompt", completion = "completion", messages, kind, reference } = fields;
  const asked = { ...(fields.prompt && { prompt }), ...(messages && { messages }), ...(kind && { kind }) };
  const known = { ...asked, ...(reference && { reference }) };
  const prompts = other("prompts", [
    ...(use === "demonstrations" && !reference && !messages ? [{ ...asked, prompt, reference: completion }] : []),
    ...[known, {}, { messages: chosen }],
  ]);
  return {
    paths,
    use,
    survey: found,
    fields: {
      prompts,
      demonstrations: other(
        "demonstrations",
        use === "preferences" ? [{ prompt, completion: chosen }, { messages: chosen }] : [],
      ),
      preferences: other("preferences", []),
    },
    references: prompts === null ? "none" : referencesOf({ path, fields: prompts }),
  };
}

function referencesOf(source: PreferenceSource): UnderstoodRows["references"] {
  const rows = readPromptRows({ ...source, limit: referencesRead, badRows: "skip", report: createReport() });
  const references = rows.flatMap(({ reference }) => (reference === null ? [] : [reference]));
  if (references.length < rows.length || rows.length === 0) return "none";
  if (references.every(isNumberReference)) return "numbers";
  return references.every((text) => text.trim().split(/\s+/).length <= fewWords) ? "answers" : "texts";
}

/** The names of columns that the hint of an error proposes; null if it proposes none that is complete. */
export function proposedFields(error: unknown): Record<string, string> | null {
  const proposed = error instanceof DataError && /fields: \{([^}]*)\}/.exec(error.hint ?? "")?.[1];
  if (!proposed || proposed.includes("...")) return null;
  return Object.fromEntries(proposed.split(", ").map((pair) => pair.split(": ", 2) as [string, string]));
}
