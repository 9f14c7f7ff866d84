/** Workspaces, runs and samples for tests of the store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql";
import { openStore, type Store, type StoreOptions } from "../../src/store/index.ts";
import type { AnswerRecord, RunRecord, SampleRecord } from "../../src/types/records.ts";
import { afterThisTest } from "./afterwards.ts";

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ballast-store-"));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An empty store that is closed and removed after the test. */
export function temporaryStore(options?: StoreOptions): Store {
  return closedAfterwards(openStore(join(temporaryFolder(), "ballast.db"), options));
}

/** Closes a store after the test. */
export function closedAfterwards(store: Store): Store {
  afterThisTest(() => store.close());
  return store;
}

/** Turns a database into what version 5 would have left. */
export function turnIntoVersion5(path: string): void {
  const raw = new Database(path);
  raw.exec("DROP TABLE seals");
  for (const table of ["attempts", "commands", "decisions", "marks", "ratings"])
    raw.exec(`ALTER TABLE ${table} DROP COLUMN operator`);
  raw.exec("ALTER TABLE attempts DROP COLUMN machine");
  raw.exec("PRAGMA user_version = 5");
  raw.close();
}

/** Turns a database into what version 3 would have left. */
export function turnIntoVersion3(path: string): void {
  turnIntoVersion5(path);
  const raw = new Database(path);
  raw.exec("DROP VIEW answer_rows; DROP INDEX samples_by_score");
  for (const table of ["answers", "marks", "requests"]) raw.exec(`DROP TABLE ${table}`);
  for (const column of ["base", "word"]) raw.exec(`ALTER TABLE consultations DROP COLUMN ${column}`);
  raw.exec("PRAGMA user_version = 3");
  raw.close();
}

export const runRecord = (id: string): RunRecord => ({
  id,
  objective: "when a request is unclear, prefer a question over a guess",
  seed: 7,
  folder: `/runs/${id}`,
  config: `{"seed":7}`,
  machine: `{"threads":2}`,
  createdAt: 1_700_000_000_000,
});

export const sampleRecord = (changes: Partial<SampleRecord> = {}): SampleRecord => ({
  index: 0,
  prompt: "what is 7 plus 5 ?",
  response: "12",
  score: 0.5,
  components: { learned: 0.5 },
  kl: 0.25,
  stopReason: "stop",
  tokens: ["12", "<eos>"],
  logprobs: [-0.5, -0.25],
  refLogprobs: [-1, -0.125],
  values: [0.5, 0.75],
  advantages: [1.5, -1.5],
  reason: "chosen",
  ...changes,
});

export const answerRecord = (changes: Partial<AnswerRecord> = {}): AnswerRecord => ({
  index: 0,
  kind: "vague",
  prompt: "it does not work",
  response: "what does not ?",
  score: 0.5,
  stopReason: "stop",
  verdicts: { asks: true, refuses: false },
  ...changes,
});
