/** What a set of rows is, before anything is trained on it: what was understood, lengths, repetitions, contradictions, overlap with the evaluation. */
import { createHash } from "node:crypto";
import { type Message, type Tokenizer, wordSplitter } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import { filesOf } from "./data-files.ts";
import { encodeDemonstrations } from "./encode-demonstrations.ts";
import {
  createTally,
  describeTally,
  type EncodedSequence,
  encodePair,
  encodePrompt,
  type LongPrompts,
} from "./encode-rows.ts";
import { checkColumns, usesWith } from "./named-fields.ts";
import { createNearDuplicates, wordsOf } from "./near-duplicates.ts";
import type { RowUse } from "./published-shapes.ts";
import { formatName, rowsOfFiles } from "./read-file.ts";
import { createReport } from "./read-report.ts";
import { eachRow, type PreferenceSource } from "./read-rows.ts";
import { RowsError } from "./row-faults.ts";
import { type PreferenceRow, type PromptRow, placeOf, type SftRow } from "./row-types.ts";

export interface SurveyOptions {
  /** What the rows are for. */
  readonly use: RowUse;
  readonly source: PreferenceSource;
  /** Rows of the evaluation, whose prompts should not be trained on. */
  readonly evaluation?: PreferenceSource | undefined;
  /** Without one, lengths are in words and marks, the tokens of `tokenizer.kind: word`, and nothing is said about the context. */
  readonly tokenizer?: Tokenizer | undefined;
  /** Longest sequence of the model, in tokens. */
  readonly context?: number | undefined;
  /** Of prompts: room that the answer needs, in tokens. */
  readonly maxNewTokens?: number;
  readonly longPrompts?: LongPrompts;
  readonly turns?: "last" | "all";
  /** Number of rows to show. */
  readonly show: number;
}

export interface Lengths {
  readonly what: "prompt" | "answer" | "chosen" | "rejected";
  readonly unit: "tokens" | "words and marks";
  readonly median: number;
  /** The length that 95% of the rows do not exceed. */
  readonly p95: number;
  readonly most: number;
}

/** A few rows that say the same about the data. */
export interface Finding {
  readonly says: string;
  readonly rows: number;
  /** Some of them, as `a.csv:3 and a.csv:9`. */
  readonly places: readonly string[];
  /** What to do, if anything. */
  readonly remedy?: string;
}

export interface ShownRow {
  readonly place: string;
  /** The sequence token by token; without a tokenizer its messages and answers. */
  readonly shows: "tokens" | "messages";
  readonly parts: readonly { readonly text: string; readonly trained: boolean; readonly label?: string }[];
}

export interface Survey {
  readonly use: RowUse;
  readonly files: readonly { readonly path: string; readonly format: string }[];
  readonly rows: number;
  readonly shapes: Readonly<Record<string, number>>;
  /** The columns of the first row. */
  readonly columns: readonly string[];
  readonly leftOut: Readonly<Record<string, number>>;
  /** Every row that cannot be used, as the run would report it; null if there is none. */
  readonly bad: { readonly rows: number; readonly message: string; readonly hint: string | null } | null;
  readonly lengths: readonly Lengths[];
  /** What the model's context would cut or leave out; null if nothing or unknown. */
  readonly context: string | null;
  readonly findings: readonly Finding[];
  readonly shown: readonly ShownRow[];
}

type AnyRow = SftRow | PreferenceRow | PromptRow;

/** Most texts that are searched for near duplicates: their signatures take memory. */
const nearLimit = 100_000;
const placesShown = 5;

/** Reads all rows once, in memory that grows only by some bytes a row, and by the rows that cannot be used. */
export function survey(options: SurveyOptions): Survey {
  const {
    use,
    source,
    evaluation,
    tokenizer,
    context,
    longPrompts = "truncate",
    turns = "last",
    maxNewTokens = 0,
  } = options;
  const report = createReport();
  const measured = createMeasures(tokenizer);
  const tally = createTally();
  const seen = createSeen();
  const evaluated = evaluation ? promptsOf(evaluation, use) : null;
  const shown: ShownRow[] = [];
  let rows = 0;
  let columns: readonly string[] = [];
  const encode = (row: AnyRow): EncodedSequence[] => {
    const how = { context: context ?? Number.MAX_SAFE_INTEGER, longPrompts, tally };
    if (tokenizer === undefined) return [];
    if ("chosen" in row) {
      const pair = encodePair(row, tokenizer, how);
      return pair ? [pair.chosen, pair.rejected] : [];
    }
    if ("completion" in row) return encodeDemonstrations([row], tokenizer, { ...how, turns, packing: "none" });
    const tokens = encodePrompt(row, tokenizer, { ...how, maxNewTokens });
    return tokens ? [{ tokens, start: tokens.length }] : [];
  };
  eachRow({ ...source, badRows: "skip", report }, use, (row, { value }) => {
    let sequences: EncodedSequence[];
    try {
      sequences = encode(row);
    } catch (error) {
      if (!(error instanceof RowsError)) throw error;
      report.faults.push(...error.faults);
      return;
    }
    if (rows === 0) columns = Object.keys(value);
    rows++;
    measured.add(row);
    seen.add(row, evaluated);
    if (shown.length < options.show) shown.push(shownRow(row, sequences, tokenizer));
  });
  const bad = report.faults.length === 0 ? null : new RowsError(report.faults);
  return {
    ...{ use, rows, columns, shown, shapes: report.shapes, leftOut: report.leftOut },
    files: filesOf(source.path).map((path) => ({ path, format: formatName(path) })),
    bad: bad && {
      rows: new Set(report.faults.map(({ place }) => `${place?.path}:${place?.line}`)).size,
      message: bad.message,
      hint: bad.hint ?? null,
    },
    lengths: measured.lengths(),
    context: context === undefined ? null : describeTally(tally),
    findings: seen.findings({ turns, multiTurn: measured.multiTurn() }),
  };
}

/** Rows from which the use is guessed. */
const guessedFrom = 20;

/**
 * The use for which the first rows can be read: pairs before demonstrations before prompts. Throws RowsError if none can, with the faults as
 * demonstrations, and if no row has a column that `fields` names; UsageError for a field that no rows have.
 */
export function guessUse(source: PreferenceSource): RowUse {
  const { path, fields = {}, limit = 0 } = source;
  const uses = usesWith(fields, ["preferences", "demonstrations", "prompts"]);
  checkColumns(path, fields);
  const named = namedUse(source);
  if (named !== null) return named;
  const faults = new Map<RowUse, Error>();
  for (const use of uses) {
    const report = createReport();
    let rows = 0;
    try {
      eachRow({ ...source, badRows: "skip", limit: Math.min(limit || guessedFrom, guessedFrom), report }, use, () => {
        rows++;
      });
      if (rows > 0 || Object.keys(report.leftOut).length > 0) return use;
      faults.set(use, ofFirstRows(new RowsError(report.faults)));
    } catch (error) {
      // Names of fields that a different use has.
      if (!(error instanceof DataError || error instanceof UsageError)) throw error;
      faults.set(use, error);
    }
  }
  throw faults.get("demonstrations") ?? [...faults.values()][0];
}

/** The error of rows none of which can be used; if only the first ones were read it says so. */
function ofFirstRows(error: RowsError): RowsError {
  const rows = new Set(error.faults.map(({ place }) => `${place?.path}:${place?.line}`)).size;
  if (rows >= guessedFrom)
    error.message = error.message.replace(
      /^\d+ rows cannot be used/,
      `none of the first ${rows} rows can be used, and no others were read`,
    );
  return error;
}

/** Whether the first rows of a source, if not all, can be used like this. */
export function readsAs(source: PreferenceSource, use: RowUse): boolean {
  const report = createReport();
  let rows = 0;
  const read = works(() => {
    eachRow({ ...source, badRows: "skip", limit: 50, report }, use, () => {
      rows++;
    });
    return true;
  });
  return read === true && rows > report.faults.length;
}

/** The use that the first row's own columns name, even if the rows cannot be used; null if they name none. */
function namedUse({ path }: PreferenceSource): RowUse | null {
  for (const row of rowsOfFiles(path, 1)) {
    const value = works(() => row.read().value);
    const has = (column: string) => value !== null && (value[column] ?? null) !== null;
    if (has("chosen") && has("rejected")) return "preferences";
    return has("completion") ? "demonstrations" : null;
  }
  return null;
}

function createMeasures(tokenizer: Tokenizer | undefined) {
  const lengths = new Map<Lengths["what"], number[]>();
  let multiTurn = 0;
  const split = tokenizer ? tokenizer.encode.bind(tokenizer) : wordSplitter();
  const measure = (what: Lengths["what"], text: string) => {
    const { length } = split(text);
    const list = lengths.get(what);
    if (list) list.push(length);
    else lengths.set(what, [length]);
  };
  return {
    add(row: AnyRow): void {
      if (row.prompt.length > 0) measure("prompt", contentsOf(row.prompt));
      if ("chosen" in row) {
        measure("chosen", row.chosen);
        measure("rejected", row.rejected);
      } else if ("completion" in row) measure("answer", row.completion);
      if ("completion" in row && row.prompt.some(({ role }) => role === "assistant")) multiTurn++;
    },
    multiTurn: () => multiTurn,
    lengths: (): Lengths[] =>
      [...lengths].map(([what, list]) => {
        const sorted = Float64Array.from(list).sort();
        const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
        return {
          what,
          unit: tokenizer ? "tokens" : "words and marks",
          median: at(0.5),
          p95: at(0.95),
          most: sorted.at(-1)!,
        };
      }),
  };
}

/** Counts rows that say the same about the data, and keeps some of their places. */
function createCounter() {
  const places: string[] = [];
  let rows = 0;
  return {
    add(...found: readonly string[]): void {
      rows++;
      if (places.length < placesShown) places.push(found.join(" and "));
    },
    finding: (says: string, remedy?: string): Finding[] =>
      rows === 0 ? [] : [{ says, rows, places, ...(remedy !== undefined && { remedy }) }],
  };
}

function createSeen() {
  const counters = {
    ...{ repeated: createCounter(), near: createCounter(), answers: createCounter(), both: createCounter() },
    ...{ equal: createCounter(), overlap: createCounter() },
  };
  /** First place of each row, prompt and label, by a hash of 52 bits. */
  const [rows, prompts, labels] = [new Map<number, string>(), new Map<number, string>(), new Map<number, string>()];
  const near = createNearDuplicates();
  const nearPlaces: string[] = [];
  return {
    add(row: AnyRow, evaluated: ReadonlySet<number> | null): void {
      const place = placeText(row);
      const prompt = promptText(row);
      const answers = "chosen" in row ? [row.chosen, row.rejected] : "completion" in row ? [row.completion] : [];
      const key = hash([prompt, ...answers]);
      const first = rows.get(key);
      if (first === undefined) rows.set(key, place);
      else counters.repeated.add(first, place);
      if (first === undefined && nearPlaces.length < nearLimit) {
        const alike = near.add([prompt, ...answers].join("\n"), nearPlaces.push(place) - 1);
        if (alike !== null) counters.near.add(nearPlaces[alike]!, place);
      }
      if (evaluated?.has(loosePrompt(row))) counters.overlap.add(place);
      if ("chosen" in row) {
        if (row.chosen.trim() === row.rejected.trim()) counters.equal.add(place);
        const other = labels.get(hash([prompt, row.rejected, row.chosen]));
        if (other !== undefined && row.chosen !== row.rejected) counters.both.add(other, place);
        labels.set(hash([prompt, row.chosen, row.rejected]), place);
      } else if ("completion" in row && !row.plain && first === undefined) {
        const asked = prompts.get(hash([prompt]));
        if (asked !== undefined) counters.answers.add(asked, place);
        else prompts.set(hash([prompt]), place);
      }
    },
    findings: ({ turns, multiTurn }: { readonly turns: string; readonly multiTurn: number }): Finding[] => [
      ...counters.overlap.finding(
        "have a prompt of the evaluation, ignoring case and punctuation",
        "leave them out of one of the two: numbers on a prompt that is trained on are better than on new ones",
      ),
      ...counters.both.finding(
        "are labelled the other way round by another row",
        "a reward model learns nothing from them: a run leaves both out",
      ),
      ...counters.equal.finding("have two equal answers", "a run leaves them out"),
      ...counters.repeated.finding("repeat an earlier row exactly", "keep them only if they should count more often"),
      ...counters.near.finding(
        `are nearly the same as an earlier row (about 80% of their triples of words${nearPlaces.length >= nearLimit ? `; searched in the first ${nearLimit} rows` : ""})`,
        "look at them: templates and quotations repeat, copies with small changes do not help",
      ),
      ...counters.answers.finding(
        "answer a prompt that an earlier row answers differently",
        "that is fine if several answers are right; contradictions teach nothing",
      ),
      ...(multiTurn > 0 && turns === "last"
        ? [
            {
              says: "have answers before the last one, which are read and not trained on",
              ...{ rows: multiTurn, places: [], remedy: "sft.turns: all trains every answer" },
            },
          ]
        : []),
    ],
  };
}

/** Hashes of the evaluation's prompts. */
function promptsOf(evaluation: PreferenceSource, use: RowUse): Set<number> {
  const found = new Set<number>();
  const asRead = { ...evaluation, badRows: "skip", report: createReport() } as const;
  const as = works(() => guessUse(evaluation)) ?? use;
  eachRow(asRead, as, (row) => {
    found.add(loosePrompt(row));
  });
  return found;
}

function works<Result>(make: () => Result): Result | null {
  try {
    return make();
  } catch (error) {
    // Names of fields that a different use has are a UsageError.
    if (error instanceof DataError || error instanceof UsageError) return null;
    throw error;
  }
}

function loosePrompt(row: AnyRow): number {
  return hash([wordsOf("plain" in row && row.plain ? row.completion : contentsOf(row.prompt)).join(" ")]);
}

function promptText({ prompt }: AnyRow): string {
  return prompt.map(({ role, content }) => `${role}: ${content}`).join("\n");
}

function contentsOf(messages: readonly Message[]): string {
  return messages.map(({ content }) => content).join("\n");
}

function placeText(row: AnyRow): string {
  const place = placeOf(row);
  return place === null ? "" : `${place.path}:${place.line}`;
}

/** 52 bits of SHA-1: two of a million rows share one with a probability of 1 in 10,000. */
function hash(texts: readonly string[]): number {
  const digest = createHash("sha1").update(JSON.stringify(texts)).digest();
  return digest.readUIntBE(0, 6) * 16 + (digest[6]! >> 4);
}

function shownRow(row: AnyRow, sequences: readonly EncodedSequence[], tokenizer: Tokenizer | undefined): ShownRow {
  const place = placeText(row);
  if (tokenizer && sequences.length > 0) {
    const labels = "chosen" in row ? ["chosen", "rejected"] : [];
    return {
      place,
      shows: "tokens",
      parts: sequences.flatMap(({ tokens, start, mask }, s) =>
        tokens.map((token, i) => ({
          text: tokenizer.tokenText(token),
          trained: i >= start && mask?.[i - start] !== 0,
          ...(i === 0 && labels[s] !== undefined && { label: labels[s]! }),
        })),
      ),
    };
  }
  const answers =
    "chosen" in row
      ? { chosen: row.chosen, rejected: row.rejected }
      : "completion" in row
        ? { answer: row.completion }
        : {};
  return {
    place,
    shows: "messages",
    parts: [
      ...row.prompt.map(({ role, content }) => ({ label: role as string, text: content, trained: false })),
      ...Object.entries(answers).map(([label, text]) => ({ label, text, trained: true })),
    ],
  };
}
