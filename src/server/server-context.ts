/** What all routes of the server share. */
import { readFileSync } from "node:fs";
import type { Store } from "../store/index.ts";
import type { Summaries } from "./answers/summary-answer.ts";
import { Refusal } from "./problem.ts";
import type { Tailer } from "./stream/tailer.ts";

export interface Context {
  readonly store: Store;
  /** The folder of the runs. */
  readonly workspace: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** How a person calls this program. */
  readonly self: string;
  /** What a command needs to mean this workspace; empty for the default one. */
  readonly option: string;
  /** Whoever sends it may change things; null: nobody may. */
  readonly token: string | null;
  readonly summaries: Summaries;
  readonly tailer: Tailer;
}

/** A command line that means this workspace, as a person would type it. */
export function typed({ self, option }: Pick<Context, "self" | "option">, ...words: readonly string[]): string {
  return [self, ...words, option].filter(Boolean).join(" ");
}

export function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}

/** @throws Refusal 503 where the database is no longer the one that was opened. */
export function checkInPlace({ store }: Pick<Context, "store">): void {
  if (store.inPlace()) return;
  throw new Refusal(503, `${store.path} was removed or replaced while it was served`, "Start `ballast serve` again.");
}
