/** Passes on what happens in a run to the laboratory. */
import type { RunNote } from "../run/open-run.ts";
import type { Tools } from "./work-tools.ts";

export function listenerOf({ onProgress, onNote, interrupted }: Pick<Tools, "onProgress" | "onNote" | "interrupted">) {
  return {
    onProgress,
    onNote: ({ kind, text }: RunNote) => {
      if (kind === "warning") onNote(text);
    },
    interrupted,
  };
}
