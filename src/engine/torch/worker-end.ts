/** Why a call of the PyTorch worker failed, or the worker ended, in words. */
import { type BallastError, CheckpointError, EngineError, messageOf, UsageError } from "../../util/errors.ts";

/** How a process of the worker ended, and the last of what it wrote to standard error. */
export interface RankEnd {
  readonly rank: number;
  readonly code: number | null;
  readonly signal: string | null;
  readonly errors: string;
}

/** Exit code with which a process says that this Python lacks something (sysexits.h: EX_CONFIG). */
const lacksSomething = 78;
/** And that it failed while others waited for it, or that it lost them (EX_SOFTWARE). */
export const lost = 70;
/** And that it could not meet the others (EX_UNAVAILABLE). */
const notMet = 69;
/** What gloo and its store say in a process whose others are gone. */
const othersGone =
  /connection (was )?(closed|reset)|broken pipe|connection refused|read error|failed to recv|timed? ?out/i;

export const resumeHint = "What is saved is safe: `ballast resume RUN` continues from the last checkpoint.";

/** Whether a process ended because others had. */
export function endedWithOthers(end: RankEnd): boolean {
  return end.code === lost && othersGone.test(saidOf(end) ?? "");
}

const saidOf = ({ errors }: RankEnd) => /^ballast: (.*)$/m.exec(errors)?.[1];

/**
 * The error of the process whose end caused the others to end. `of`: how many processes there were here; `elsewhere`: whether there were some on other
 * machines, whose ends are not known here; `remedy`: what to do about a Python that cannot run the worker, which is possible only if the process ended
 * before its first answer.
 */
export function endOf(
  ends: readonly RankEnd[],
  {
    of,
    elsewhere = false,
    remedy,
    answered,
  }: { readonly of: number; readonly elsewhere?: boolean; readonly remedy: string; readonly answered: boolean },
): Error {
  const weight = (end: RankEnd) => {
    if ((end.code === lacksSomething || end.code === notMet) && saidOf(end)) return 0;
    if (end.signal !== null) return 1;
    if (end.code === lost && saidOf(end)) return endedWithOthers(end) ? 3 : 1;
    return 2;
  };
  const [cause] = [...ends].sort((a, b) => weight(a) - weight(b)) as [RankEnd];
  const { rank, code, signal, errors } = cause;
  const said = saidOf(cause);
  if (code === lacksSomething && said) return new UsageError(said, remedy);
  if (code === notMet && said) return new UsageError(said);
  const worker = of === 1 ? "the PyTorch worker" : `process ${rank} of the PyTorch worker's ${of}`;
  if (signal === "SIGKILL")
    return new EngineError(
      `${worker} was killed, probably because the machine ran out of memory`,
      `${resumeHint} A smaller microBatch, fewer sequences or a smaller model take less memory.`,
    );
  if (elsewhere && endedWithOthers(cause))
    return new EngineError(
      `the PyTorch worker lost the processes of another machine, of which one probably ended first (${said})`,
      `Why is told on that machine: by \`ballast engine join\`, or by the system's log (dmesg: out of memory). ${resumeHint}`,
    );
  if (code === lost && said) return new EngineError(`the PyTorch worker ended: ${said}`, resumeHint);
  const last = errors.trim().split("\n").slice(-3).join(" | ");
  const how = signal === null ? `code ${code}` : `signal ${signal}`;
  const why = last === "" ? "" : `: ${last}`;
  if (!answered) return new UsageError(`${worker} ended with ${how} as it started${why}`, remedy);
  return new EngineError(`${worker} ended with ${how}${why}`, resumeHint);
}

export function notStarted(
  error: NodeJS.ErrnoException,
  { python, remedy }: { readonly python: string; readonly remedy: string },
): Error {
  if (error.code === "ENOENT") return new UsageError(`there is no Python at ${python}`, remedy);
  return new UsageError(`Python at ${python} cannot be started: ${messageOf(error)}`, remedy);
}

/** What the worker answers for a call that failed. */
export interface CallFailure {
  readonly kind: "usage" | "checkpoint" | "oom" | "worker" | "cancelled";
  readonly message: string;
  readonly hint: string | null;
  /** Whether the weights and optimizers of all models are those of before the call. */
  readonly unchanged: boolean;
}

/** The error of a call that failed. One that may have happened in the middle of a change says what became of the models; a refusal or a call taken back changes nothing. */
export function callError({ kind, message, hint, unchanged }: CallFailure): BallastError {
  const state = kind === "oom" || kind === "worker" || !unchanged ? stateAfter(unchanged) : null;
  const words = [hint, state].filter((part) => part !== null);
  const said = words.length === 0 ? undefined : words.join(" ");
  if (kind === "usage") return new UsageError(message, said);
  if (kind === "checkpoint") return new CheckpointError(message, said);
  return new EngineError(message, said);
}

function stateAfter(unchanged: boolean): string {
  if (unchanged) return "The weights and optimizers of all models are as they were before.";
  return "A model is no longer whole, and can be neither used nor saved: `ballast resume RUN` continues from the last checkpoint.";
}
