/** The context that all routes of the server share. */
import type { Store } from "../store/index.ts";
import type { RunDesk } from "../types/new-run-page.ts";
import type { Playground } from "../types/playground-page.ts";
import type { Summaries } from "./answers/summary-answer.ts";
import { Refusal } from "./problem.ts";
import type { Tailer } from "./stream/tailer.ts";

export interface Context {
  readonly store: Store;
  /** The folder of the runs. */
  readonly workspace: string;
  /** Clock, in Unix milliseconds. */
  readonly now: () => number;
  /** The program's name on the user's command line. */
  readonly self: string;
  /** The option that makes a command use this workspace; empty for the default one. */
  readonly option: string;
  /** The token that a request must carry to change things; null: nobody may change anything. */
  readonly token: string | null;
  readonly summaries: Summaries;
  readonly tailer: Tailer;
  /** Begins runs; null in a server that does not. */
  readonly desk: RunDesk | null;
  /** Talks with models; null in a server that does not. */
  readonly playground: Playground | null;
}

/** A command line for this workspace, as the user would type it. */
export function typed({ self, option }: Pick<Context, "self" | "option">, ...words: readonly string[]): string {
  return [self, ...words, option].filter(Boolean).join(" ");
}

/**
 * Checks that the database has not been replaced.
 * @throws Refusal 503 if it is no longer the one that was opened.
 */
export function checkInPlace({ store }: Pick<Context, "store">): void {
  if (store.inPlace()) return;
  throw new Refusal(503, `${store.path} was removed or replaced while it was served`, "Start `ballast serve` again.");
}
