/** A terminal that keeps what is printed, without colours. */
import pc from "picocolors";
import type { Terminal } from "../../src/cli/terminal.ts";

export function keptTerminal({ width = 100 } = {}): Terminal & { readonly lines: string[]; readonly notes: string[] } {
  const lines: string[] = [];
  const notes: string[] = [];
  return {
    lines,
    notes,
    out: (line) => void lines.push(line),
    note: (line) => void notes.push(line),
    outColours: pc.createColors(false),
    noteColours: pc.createColors(false),
    outWidth: () => width,
    noteWidth: () => width,
    redraws: false,
    raw: () => {},
  };
}
