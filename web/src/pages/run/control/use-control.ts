/** What the view Control shows, asked for again whenever the run has moved; and the sending of what a person decides. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Changed, ControlAnswer, RunSummary } from "../../../../../src/types/page.ts";
import { ApiError, isFile, post } from "../../../api.ts";
import { line } from "../../../state/live.ts";
import type { RunData } from "../../../state/run-data.ts";
import { type Asked, useAnswer } from "../../../state/use-answer.ts";
import { changesSince, type Seen } from "./changes-since.ts";

/** Milliseconds between two questions while iterations come fast. */
const pause = 2_000;

export function useControl(data: RunData, run: RunSummary): Asked<ControlAnswer> {
  const version = data.answer.value?.version;
  const progress = `${run.position?.stage} ${run.position?.iteration} ${data.events.value.at(-1)?.seq}`;
  const slow = useSlowed(progress, pause);
  return useAnswer<ControlAnswer>(
    `/api/runs/${encodeURIComponent(data.id)}/control`,
    {},
    // A line that was down may have kept an answer back.
    isFile ? null : `${version} ${run.state} ${line.value} ${slow}`,
  );
}

/** The value, at most once in so many milliseconds; the newest always comes. */
export function useSlowed<Value>(value: Value, milliseconds: number): Value {
  const slowed = useSignal(value);
  const last = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, last.current + milliseconds - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      slowed.value = value;
    }, wait);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return slowed.value;
}

/** What every part of the view is given. */
export interface Steered {
  readonly data: RunData;
  readonly run: RunSummary;
  readonly control: ControlAnswer;
  /** How a command line names the run. */
  readonly argument: string;
  readonly mayChange: boolean;
  /** Asks for the run and its control again. */
  readonly again: () => void;
}

export interface Sender {
  readonly isBusy: boolean;
  readonly error: ApiError | null;
  /** What was refused because the run had changed meanwhile: what changed. */
  readonly conflict: readonly string[] | null;
  readonly done: Changed | null;
  /** True where the server took it. */
  readonly send: (path: string, body: unknown) => Promise<boolean>;
  /** Forgets what the last press led to. */
  readonly clear: () => void;
}

/** Sends with the version that was shown; where that is an old one, shows what changed, and a second press sends with the new one. */
export function useSend({ control, run, again }: Steered): Sender {
  const isBusy = useSignal(false);
  const error = useSignal<ApiError | null>(null);
  const done = useSignal<Changed | null>(null);
  const refused = useSignal<Seen | null>(null);
  const clear = () => {
    error.value = null;
    done.value = null;
    refused.value = null;
  };
  const send = async (path: string, body: unknown): Promise<boolean> => {
    if (isBusy.peek()) return false;
    const seen: Seen = { control, run };
    clear();
    isBusy.value = true;
    try {
      done.value = await post(path, body, { version: control.version });
      return true;
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.value = failure;
      if (failure.status === 409) refused.value = seen;
      return false;
    } finally {
      isBusy.value = false;
      again();
    }
  };
  const conflict = refused.value === null ? null : changesSince(refused.value, { control, run });
  return { isBusy: isBusy.value, error: error.value, conflict, done: done.value, send, clear };
}
