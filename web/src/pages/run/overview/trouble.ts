/** What is wrong now, in one sentence: first what needs the operator. */
import { clearFalls } from "../../../../../src/signals/evaluation-falls.ts";
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { PageEvent, RunAnswer, RunSummary } from "../../../../../src/types/page.ts";
import { ago, percent, type Tone } from "../../../format.ts";
import { standing } from "./tiles.ts";

export interface Trouble {
  readonly shape: string;
  readonly tone: Tone;
  readonly says: string;
  /** What to do about it, in a sentence; null if `next` says it all. */
  readonly hint?: string | null;
  /** The iteration that it concerns. */
  readonly iteration: number | null;
  /** What to do: decide in Control, type a command, or look at Behaviour. */
  readonly next: "decide" | "resume" | "behaviour" | null;
}

export interface TroubleOptions {
  readonly run: RunSummary;
  /** Events of all stages, oldest first. */
  readonly events: readonly PageEvent[];
  readonly now: number;
  /** Gold checks that are much lower than at first, in words. */
  readonly lost?: readonly string[];
  /** Gold checks that fell in the evaluation before and after, in words. */
  readonly fell?: readonly string[];
}

/** Gold checks that are clearly lower after training: `sums right 89.3% → 75.1%`. */
export function fallenWords({ shares, differences, before, after }: NonNullable<RunAnswer["evaluation"]>): string[] {
  return clearFalls({ shares, differences }).map(
    ([name]) => `${figureTitle(name)} ${percent(before?.figures[name]?.mean)} → ${percent(after.figures[name]?.mean)}`,
  );
}

export function troubleOf({ run, events, now, lost = [], fell = [] }: TroubleOptions): Trouble {
  const { state, openIncidents, lastBeat, position } = run;
  const valid = events.filter(({ superseded }) => !superseded);
  const newest = (isIt: (event: PageEvent) => boolean) => valid.findLast(isIt);
  const bad = (says: string, next: Trouble["next"], iteration: number | null = null): Trouble => ({
    shape: "✗",
    tone: "bad",
    says,
    iteration,
    next,
  });
  if (openIncidents > 0) {
    const incident = newest(({ kind }) => kind === "incident");
    const others = openIncidents > 1 ? ` (and ${openIncidents - 1} more)` : "";
    const waits = state === "lost" ? "; the process is gone" : run.alive ? "; the run waits for a decision" : "";
    return bad(
      `${incident?.message ?? "An incident is open"}${others}${waits}.`,
      "decide",
      incident?.iteration ?? null,
    );
  }
  if (state === "lost") {
    const beat =
      lastBeat === null ? "No heartbeat at all" : `No heartbeat for ${ago(now - lastBeat).replace(" ago", "")}`;
    return bad(`${beat}: the process is gone.`, "resume", position?.iteration ?? null);
  }
  if (state === "failed") {
    const error = newest(({ kind }) => kind === "error");
    if (error === undefined) return bad("The run failed.", "resume");
    return { ...bad(`It failed: ${error.message}.`, "resume", error.iteration), hint: error.hint ?? null };
  }
  if (state === "stopped") {
    const cause = newest(({ kind }) => kind === "intervention" || kind === "incident");
    return bad(cause?.message ?? "The controller stopped the run.", "resume", cause?.iteration ?? null);
  }
  const recent = valid.filter(
    ({ kind, stage, iteration }) =>
      kind === "alert" && stage === position?.stage && (position?.iteration ?? 0) - iteration < standing,
  );
  const alert = recent.findLast(({ tier }) => tier === 1) ?? recent.findLast(({ tier }) => tier === 2);
  if (alert !== undefined)
    return {
      shape: alert.tier === 1 ? "✗" : "▲",
      tone: alert.tier === 1 ? "bad" : "warn",
      says: `${alert.message}.`,
      iteration: alert.iteration,
      next: null,
    };
  if (state === "paused")
    return {
      shape: "‖",
      tone: "warn",
      says: "Paused.",
      iteration: position?.iteration ?? null,
      next: run.alive ? "decide" : "resume",
    };
  if (state === "interrupted")
    return {
      shape: "◼",
      tone: "quiet",
      says: "Interrupted: it resumes where it stopped.",
      iteration: null,
      next: "resume",
    };
  if (position === null)
    return { shape: "○", tone: "quiet", says: "Nothing is recorded yet.", iteration: null, next: null };
  if (fell.length > 0 && state === "done")
    return {
      shape: "▲",
      tone: "warn",
      says: `Lower after PPO than before, beyond chance: ${fell.join(", ")}.`,
      iteration: null,
      next: "behaviour",
    };
  if (lost.length > 0)
    return {
      shape: "▲",
      tone: "warn",
      says: `Lost since the first measurement: ${lost.join(", ")}.`,
      iteration: null,
      next: "behaviour",
    };
  const over =
    position.stage === "ppo"
      ? `No rule of tier 1 or 2 has fired in the last ${standing} iterations.`
      : "Nothing has gone wrong.";
  return { shape: "✓", tone: "good", says: over, iteration: null, next: null };
}
