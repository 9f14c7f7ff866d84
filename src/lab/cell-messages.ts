/** The messages between the laboratory and the processes that do its cells. No code. */
import type { Progress } from "../trainer/run-types.ts";
import type { Cell } from "./cells.ts";

export type ToProcess =
  | {
      readonly kind: "cell";
      readonly folder: string;
      readonly cell: Cell;
      readonly results: Readonly<Record<string, unknown>>;
    }
  /** Save and end what is being done. */
  | { readonly kind: "stop" };

export type FromProcess =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly progress: Omit<Progress, "values"> }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "done"; readonly result: unknown; readonly seconds: number }
  | { readonly kind: "interrupted" }
  | { readonly kind: "failed"; readonly reason: string };
