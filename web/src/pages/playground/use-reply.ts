/** An answer as it grows: asked for, told piece by piece, and stopped. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PlaygroundMessage, ReplyLine } from "../../../../src/types/playground-page.ts";
import { ApiError, postLines } from "../../api.ts";
import { newSeed, type Sampling } from "./sampling.ts";

export interface Growing {
  readonly text: string;
  /** What happens before the first word. */
  readonly note: string | null;
  readonly problem: ApiError | null;
  /** The answer, once it is complete. */
  readonly done: Extract<ReplyLine, { readonly kind: "done" }> | null;
}

const nothing: Growing = { text: "", note: null, problem: null, done: null };

export interface Replying {
  readonly growing: Growing;
  readonly isBusy: boolean;
  /** Resolves with the text, or null if there is none: it failed or was stopped. */
  readonly ask: (model: string, messages: readonly PlaygroundMessage[], sampling: Sampling) => Promise<string | null>;
  readonly stop: () => void;
  readonly clear: () => void;
}

export function useReply(): Replying {
  const growing = useSignal<Growing>(nothing);
  const isBusy = useSignal(false);
  const asked = useRef<AbortController | null>(null);
  useEffect(() => () => asked.current?.abort(), []);
  const ask: Replying["ask"] = async (model, messages, { temperature, maxTokens }) => {
    asked.current?.abort();
    const own = new AbortController();
    asked.current = own;
    growing.value = { ...nothing, note: "waiting for the engine" };
    isBusy.value = true;
    const hear = (line: ReplyLine) => {
      if (own.signal.aborted) return;
      const before = growing.peek();
      if (line.kind === "note") growing.value = { ...before, note: line.says };
      else if (line.kind === "text") growing.value = { ...before, note: null, text: line.text };
      else if (line.kind === "done") growing.value = { ...before, note: null, text: line.text, done: line };
      else growing.value = { ...before, note: null, problem: new ApiError(line, 409) };
    };
    try {
      const request = { model, messages, temperature, maxTokens, seed: newSeed() };
      await postLines<ReplyLine>("/api/playground/reply", request, { onLine: hear, signal: own.signal });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      growing.value = { ...growing.peek(), note: null, problem: error };
    }
    if (asked.current === own) isBusy.value = false;
    return growing.peek().done?.text ?? null;
  };
  const stop = () => {
    asked.current?.abort();
    asked.current = null;
    isBusy.value = false;
    growing.value = { ...growing.peek(), note: null };
  };
  const clear = () => {
    growing.value = nothing;
  };
  return { growing: growing.value, isBusy: isBusy.value, ask, stop, clear };
}
