/** Answers of two models to the same prompts, side by side. */
import { printable } from "../util/sanitize.ts";
import { padEnd, wrap } from "./width.ts";

export interface Transcript {
  readonly prompt: string;
  /** The answer of the model before; null if there is none. */
  readonly before: string | null;
  readonly after: string;
}

export interface TranscriptOptions {
  readonly width: number;
  /** Titles of the two columns; null if only one model answered. */
  readonly titles: readonly [string, string] | null;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

/** A narrower column holds too few words: the answers are then placed below each other. */
const NARROWEST_COLUMN = 24;
const RULE = " │ ";

/** Lines of one transcript: the prompt, and the two answers in two columns, or one below the other if the terminal is narrow. */
export function transcriptLines(transcript: Transcript, { width, titles, dim, bold }: TranscriptOptions): string[] {
  const column = Math.floor((width - 2 - RULE.length) / 2);
  const lines = wrap(answer(transcript.prompt), width - 2).map(
    (line, i) => `${i === 0 ? dim("> ") : "  "}${bold(line)}`,
  );
  if (titles === null) return [...lines, ...wrap(answer(transcript.after), width - 2).map((line) => `  ${line}`)];
  if (column < NARROWEST_COLUMN) {
    for (const [title, text] of [
      [titles[0], transcript.before],
      [titles[1], transcript.after],
    ] as const) {
      const label = padEnd(title, Math.max(titles[0].length, titles[1].length) + 1);
      const body = wrap(answer(text), Math.max(8, width - 2 - label.length));
      lines.push(...body.map((line, i) => `  ${dim(i === 0 ? label : " ".repeat(label.length))}${line}`));
    }
    return lines;
  }
  const left = wrap(answer(transcript.before), column);
  const right = wrap(answer(transcript.after), column);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    lines.push(`  ${padEnd(left[i] ?? "", column)}${dim(RULE)}${right[i] ?? ""}`.trimEnd());
  }
  return lines;
}

/** The line above the transcripts that names their two columns; empty if the answers are placed below each other. */
export function transcriptTitles({ width, titles, dim }: TranscriptOptions): string[] {
  const column = Math.floor((width - 2 - RULE.length) / 2);
  return titles === null || column < NARROWEST_COLUMN ? [] : [dim(`  ${padEnd(titles[0], column)}${RULE}${titles[1]}`)];
}

function answer(text: string | null): string {
  const clean = printable(text ?? "").trim();
  return clean === "" ? "(nothing)" : clean;
}
