/** `ballast rate`: a user rates a run's responses, or prefers one of two responses to the same prompt. */
import { pairsOf, readRatings } from "../../../data/index.ts";
import { findRun } from "../../../inspect/places.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { nothingToAsk, type Question, questionsOf } from "../../../operator/rating-questions.ts";
import { databaseOf, openStore, type Store } from "../../../store/index.ts";
import type { NewRating, RatingRecord } from "../../../types/rating-records.ts";
import { counted } from "../../../util/counted.ts";
import { UsageError } from "../../../util/errors.ts";
import { printable } from "../../../util/sanitize.ts";
import { writeExport } from "../../export-file.ts";
import { naming, runArgument, selfName } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { type KeyStream, keysOf } from "./rating-keys.ts";

export interface RateOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** Ask which of two responses is better. */
  readonly pairs?: boolean;
  /** Number of questions to ask. */
  readonly count: number;
  /** Whose answers they are; default: the operator. */
  readonly rater?: string;
  /** Who gives or imports them; default: the login name. */
  readonly as?: string;
  /** A JSONL file to write preferences to. */
  readonly export?: string;
  /** A JSONL file to write ratings to, as they were given. */
  readonly exportRatings?: string;
  /** A JSONL file to read preferences or ratings from. */
  readonly import?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
  /** The source of keys; by default stdin. */
  readonly keys?: KeyStream;
}

export async function rate(options: RateOptions): Promise<number> {
  const { run, workspace, json = false, terminal } = options;
  const operator = operatorName(options.as);
  const rater = options.rater ?? operator;
  const files = [options.import, options.export, options.exportRatings].filter((file) => file !== undefined);
  if (files.length > 1)
    throw new UsageError("--import, --export and --export-ratings cannot be combined", "Give one, then the other.");
  const place = findRun(run, workspace);
  const store = openStore(databaseOf(place.workspace), { readonly: files.length > 0 && !options.import });
  const report = (counts: Record<string, number | string>, sentence: string) =>
    terminal.out(json ? jsonLine({ run: place.id, ...counts }) : sentence);
  try {
    if (options.import !== undefined) {
      const { added, known } = importRatings(store, place.id, { rows: readRatings(options.import, rater), operator });
      report({ added, known }, `${added} added to ${place.id}${known > 0 ? `; ${known} were there already` : ""}.`);
    } else if (options.export !== undefined) {
      const { pairs, empty } = exportPairs(store.ratings(place.id), options.export, place.id);
      const left = empty > 0 ? ` ${empty} with an empty response are left out.` : "";
      report(
        { pairs, empty, file: options.export },
        `${pairs} preferences of ${place.id} are in ${options.export}.${left}`,
      );
    } else if (options.exportRatings !== undefined) {
      const count = exportRatings(store.ratings(place.id), options.exportRatings, place.id);
      report(
        { ratings: count, file: options.exportRatings },
        `${count} ratings of ${place.id} are in ${options.exportRatings}. Next: control.probes.ratings=${options.exportRatings}`,
      );
    } else {
      const given = await ask(store, place.id, { ...options, rater, operator });
      const next = `${selfName()} rate ${runArgument(place)} --export pairs.jsonl`;
      report(
        { given, rater },
        `${counted(given, "answer")} of ${rater} ${given === 1 ? "is" : "are"} stored.${given > 0 ? ` Next: ${next}` : ""}`,
      );
    }
    return 0;
  } catch (error) {
    throw naming(error, place);
  } finally {
    store.close();
  }
}

/** Asks the questions and returns the number of answers. Each is stored at once. */
async function ask(
  store: Store,
  runId: string,
  {
    pairs = false,
    count,
    rater,
    operator,
    terminal,
    keys: stream = process.stdin,
  }: RateOptions & { readonly rater: string; readonly operator: string },
): Promise<number> {
  const samples = store.sampleFeed(runId, { current: true, limit: Number.MAX_SAFE_INTEGER }).rows;
  const before = store.ratings(runId);
  const questions = questionsOf(samples, { before, rater, pairs }).slice(0, count);
  if (questions.length === 0) throw nothingToAsk(samples, pairs);
  const keys = keysOf(stream);
  const legend = pairs ? "1 or 2 is better, s skips, q ends" : "1 (bad) to 5 (good), s skips, q ends";
  let given = 0;
  try {
    for (const [i, question] of questions.entries()) {
      show(question, { number: i + 1, of: questions.length, terminal });
      terminal.note(terminal.noteColours.dim(legend));
      const answer = await answerTo(keys, { pairs, retry: () => terminal.note(`Unknown key. Use: ${legend}`) });
      if (answer === "q") break;
      if (answer === "s") continue;
      store.addRating(runId, ratingOf(question, Number(answer), rater), { operator });
      given++;
    }
  } finally {
    await keys.return(undefined);
  }
  return given;
}

function show(
  { prompt, responses }: Question,
  { number, of, terminal }: { number: number; of: number; terminal: Terminal },
): void {
  const c = terminal.noteColours;
  const width = terminal.noteWidth();
  terminal.note("");
  terminal.note(c.bold(`${number} of ${of}`));
  const part = (name: string, text: string) => {
    const lines = (printable(text).trim() === "" ? "(nothing)" : printable(text))
      .split("\n")
      .flatMap((line) => wrap(line, width - 10));
    for (const [i, line] of lines.entries()) terminal.note(`${(i === 0 ? name : "").padEnd(10)}${line}`);
  };
  part("prompt", prompt);
  for (const [i, response] of responses.entries()) part(responses.length === 1 ? "response" : `${i + 1}`, response);
}

/** When the keys end, so do the questions. */
async function answerTo(
  keys: AsyncGenerator<string>,
  { pairs, retry }: { pairs: boolean; retry: () => void },
): Promise<string> {
  for (;;) {
    const { value, done } = await keys.next();
    if (done) return "q";
    const key = String(value).toLowerCase();
    if (key === "s" || key === "q" || (pairs ? /[12]/ : /[1-5]/).test(key)) return key;
    retry();
  }
}

function ratingOf({ prompt, responses }: Question, answer: number, rater: string): NewRating {
  const [a, b] = responses as [string, string?];
  if (b === undefined) return { kind: "rating", prompt, response: a, score: answer, rater };
  const [chosen, rejected] = answer === 1 ? [a, b] : [b, a];
  return { kind: "preference", prompt, chosen, rejected, rater };
}

function importRatings(
  store: Store,
  runId: string,
  { rows, operator }: { readonly rows: readonly NewRating[]; readonly operator: string },
): { added: number; known: number } {
  const key = (rating: NewRating) =>
    rating.kind === "rating"
      ? JSON.stringify([rating.rater, rating.prompt, rating.response, rating.score])
      : JSON.stringify([rating.rater, rating.prompt, rating.chosen, rating.rejected]);
  const present = new Set(store.ratings(runId).map(key));
  let added = 0;
  for (const row of rows) {
    if (present.has(key(row))) continue;
    present.add(key(row));
    store.addRating(runId, row, { operator });
    added++;
  }
  return { added, known: rows.length - added };
}

function exportPairs(ratings: readonly RatingRecord[], path: string, runId: string): { pairs: number; empty: number } {
  const all = pairsOf(ratings);
  // The reward model's reader accepts no blank text.
  const pairs = all.filter(({ chosen, rejected }) => chosen.trim() !== "" && rejected.trim() !== "");
  if (pairs.length === 0)
    throw new UsageError(
      `run ${runId} has no preference to export`,
      "Give some: ballast rate RUN --pairs; two responses to one prompt with different ratings count too.",
    );
  writeRows(path, pairs);
  return { pairs: pairs.length, empty: all.length - pairs.length };
}

function exportRatings(ratings: readonly RatingRecord[], path: string, runId: string): number {
  const rated = ratings.flatMap((one) => (one.kind === "rating" ? [one] : []));
  if (rated.length === 0) throw new UsageError(`run ${runId} has no rating to export`, "Give some: ballast rate RUN.");
  writeRows(
    path,
    rated.map(({ prompt, response, score, rater }) => ({ prompt, response, score, rater })),
  );
  return rated.length;
}

function writeRows(path: string, rows: readonly object[]): void {
  writeExport(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}
