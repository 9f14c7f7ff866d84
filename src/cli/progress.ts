/** A run's progress: one pinned line on a terminal, an occasional plain line elsewhere. */
import { clock, plural, rate } from "./number-format.ts";
import type { Terminal } from "./terminal.ts";
import { cut, displayWidth, wrap } from "./width.ts";

/** What a stage reports; `trainer/` has the same shape. */
export interface ProgressReport {
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  readonly unit: string;
  readonly message?: string;
  /** How far that is. */
  readonly part?: { readonly done: number; readonly of: number; readonly unit: string } | undefined;
  /** Seconds left, if the reporter knows better than the rate of steps; NaN if it does not know yet. */
  readonly left?: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface LineState extends ProgressReport {
  /** Steps per second; NaN while unknown. */
  readonly perSecond: number;
  /** Of the part, in its unit. */
  readonly partPerSecond: number;
  /** Values to show on the line, in order: label and text. */
  readonly shown: readonly (readonly [label: string, text: string])[];
}

const BAR_WIDTH = 20;

/**
 * The line fitted to `width` columns: always the stage and its step; then, if there is room, the time left, the values, the rate, the message and the
 * bar.
 */
export function progressLine(
  state: LineState,
  { width, withBar = true }: { width: number; withBar?: boolean },
): string {
  const { stage, step, steps, unit, perSecond, shown, message } = state;
  const head = `${stage}  ${unit} ${step}/${steps}`;
  const seconds = state.left ?? (perSecond > 0 ? (steps - step) / perSecond : Number.NaN);
  const left = Number.isFinite(seconds) && step < steps ? `${clock(seconds)} left` : "";
  // By rank: earlier parts are the last to go when the terminal is narrow.
  const optional = [
    { place: 3, text: left },
    ...shown.map(([label, text], i) => ({ place: 4 + i, text: `${label} ${text}` })),
    { place: 2, text: state.left === undefined ? rate(perSecond, unit === "iteration" ? "it" : unit) : "" },
    { place: 90, text: [message, partText(state)].filter(Boolean).join(", ") },
    { place: 1, text: withBar ? bar(step, steps) : "" },
  ].filter((part) => part.text !== "");
  const kept: { place: number; text: string }[] = [];
  let used = displayWidth(head);
  for (const part of optional) {
    const next = displayWidth(part.text) + 2;
    if (used + next > width) continue;
    kept.push(part);
    used += next;
  }
  const parts = kept.sort((a, b) => a.place - b.place).map((part) => part.text);
  return cut([head, ...parts].join("  "), width);
}

/** `1920/16384 tokens, 310 tokens/s, 0:47 left`; nothing of what has one part only. */
function partText({ part, partPerSecond }: LineState): string {
  if (part === undefined || part.of <= 1) return "";
  const { done, of, unit } = part;
  const left = partPerSecond > 0 ? `${clock((of - done) / partPerSecond)} left` : "";
  return [`${done}/${of} ${plural(unit)}`, rate(partPerSecond, unit), left].filter(Boolean).join(", ");
}

function bar(step: number, steps: number): string {
  const filled = steps > 0 ? Math.floor((BAR_WIDTH * Math.min(step, steps)) / steps) : 0;
  return "━".repeat(filled) + "─".repeat(BAR_WIDTH - filled);
}

/** Steps per second over the last reports of one stage. */
export class Rate {
  #seen: { step: number; seconds: number }[] = [];

  add(step: number, seconds: number): void {
    const last = this.#seen.at(-1);
    if (last && step < last.step) this.#seen = [];
    if (last?.step !== step) this.#seen.push({ step, seconds });
    if (this.#seen.length > 32) this.#seen.shift();
  }

  /** The rate; NaN until two different steps were seen. */
  perSecond(): number {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (!first || !last || last.step === first.step || last.seconds <= first.seconds) return Number.NaN;
    return (last.step - first.step) / (last.seconds - first.seconds);
  }
}

const REDRAW_MS = 100;
const PLAIN_SECONDS = 15;

export interface ProgressOptions {
  readonly terminal: Terminal;
  /** Picks the values to show on the line. */
  readonly pick: (values: ProgressReport["values"]) => (readonly [label: string, text: string])[];
  readonly now?: () => number;
}

/** Shows the progress of a run until `close`. Lines printed meanwhile go through `note`, above the pinned line. */
export class ProgressDisplay {
  readonly #terminal: Terminal;
  readonly #pick: ProgressOptions["pick"];
  readonly #now: () => number;
  #rate = new Rate();
  #partRate = new Rate();
  #report: ProgressReport | null = null;
  #drawn: string | null = null;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #plainAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor({ terminal, pick, now = Date.now }: ProgressOptions) {
    this.#terminal = terminal;
    this.#pick = pick;
    this.#now = now;
  }

  update(report: ProgressReport): void {
    const newPhase = report.stage !== this.#report?.stage || report.unit !== this.#report.unit;
    if (newPhase) this.#rate = new Rate();
    const seconds = this.#now() / 1000;
    this.#rate.add(report.step, seconds);
    const { message, part } = report;
    if (part === undefined || message !== this.#report?.message || part.of !== this.#report?.part?.of)
      this.#partRate = new Rate();
    if (part !== undefined) this.#partRate.add(part.done, seconds);
    this.#report = report;
    if (!this.#terminal.redraws) this.#plain(newPhase);
    else if (this.#now() - this.#drawnAt >= REDRAW_MS) this.#draw();
    else this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS).unref();
  }

  /** Prints a permanent line above the pinned one. */
  note(line: string): void {
    this.#erase();
    const { redraws, noteWidth } = this.#terminal;
    for (const part of redraws ? wrap(line, noteWidth()) : [line]) this.#terminal.note(part);
    if (this.#report && this.#terminal.redraws) this.#draw();
  }

  /** Removes the pinned line. */
  close(): void {
    this.#erase();
    this.#report = null;
  }

  #draw(): void {
    if (!this.#report) return;
    this.#erase();
    const line = this.#line(this.#report, { width: this.#terminal.noteWidth() - 1 });
    this.#terminal.raw(this.#terminal.noteColours.dim(line));
    this.#drawn = line;
    this.#drawnAt = this.#now();
  }

  #plain(newPhase: boolean): void {
    const report = this.#report;
    if (!report) return;
    const finished = report.step >= report.steps && report.part === undefined;
    if (!newPhase && !finished && this.#now() - this.#plainAt < PLAIN_SECONDS * 1000) return;
    const line = this.#line(report, { width: 200, withBar: false });
    if (line === this.#drawn) return;
    this.#terminal.note(line);
    this.#drawn = line;
    this.#plainAt = this.#now();
  }

  #line(report: ProgressReport, options: { width: number; withBar?: boolean }): string {
    const rates = { perSecond: this.#rate.perSecond(), partPerSecond: this.#partRate.perSecond() };
    return progressLine({ ...report, ...rates, shown: this.#pick(report.values) }, options);
  }

  /** A narrowed terminal has wrapped the line: every row that it now occupies is cleared. */
  #erase(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#drawn === null || !this.#terminal.redraws) return;
    const rows = Math.max(1, Math.ceil(displayWidth(this.#drawn) / this.#terminal.noteWidth()));
    this.#terminal.raw(`${"\r\x1b[2K\x1b[1A".repeat(rows - 1)}\r\x1b[2K`);
    this.#drawn = null;
  }
}
