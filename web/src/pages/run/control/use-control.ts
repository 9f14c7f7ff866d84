/** The data of the Control view, requested again whenever the run has changed; and the sending of the operator's decisions. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Changed, ControlAnswer, RunSummary } from "../../../../../src/types/page.ts";
import { ApiError, isFile, post } from "../../../api.ts";
import { line } from "../../../state/live.ts";
import type { RunData } from "../../../state/run-data.ts";
import { type Asked, useAnswer } from "../../../state/use-answer.ts";
import { changesSince, type Seen } from "./changes-since.ts";

/** Milliseconds between two requests while iterations come fast. */
const pause = 2_000;

export function useControl(data: RunData, run: RunSummary): Asked<ControlAnswer> {
  const version = data.answer.value?.version;
  const progress = `${run.position?.stage} ${run.position?.iteration} ${data.events.value.at(-1)?.seq}`;
  const slow = useSlowed(progress, pause);
  return useAnswer<ControlAnswer>(
    `/api/runs/${encodeURIComponent(data.id)}/control`,
    {},
    // A broken connection may have kept an answer back.
    isFile ? null : `${version} ${run.state} ${line.value} ${slow}`,
  );
}

/** The value, updated at most once in the given milliseconds; the newest always arrives. */
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

/** The properties of every part of the view. */
export interface Steered {
  readonly data: RunData;
  readonly run: RunSummary;
  readonly control: ControlAnswer;
  /** The run's name on a command line. */
  readonly argument: string;
  readonly mayChange: boolean;
  /** Requests the run and its control again. */
  readonly again: () => void;
}

export interface Sender {
  readonly isBusy: boolean;
  readonly error: ApiError | null;
  /** If a request was refused because the run had changed meanwhile: what changed. */
  readonly conflict: readonly string[] | null;
  readonly done: Changed | null;
  /** Sends a request; true if the server accepted it. */
  readonly send: (path: string, body: unknown) => Promise<boolean>;
  /** Clears the last result. */
  readonly clear: () => void;
}

/** Sends with the version that was shown; if that is outdated, it shows what changed, and a second click sends with the new version. */
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
