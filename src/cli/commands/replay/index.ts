/** `ballast replay`: what rules decide on a run's record, compared with what was decided. */
import type { Rule } from "../../../control/rules/rule.ts";
import { otherRules, readControl, replayOn, storyOf } from "../../../inspect/recorded-control.ts";
import type { Said } from "../../../types/page.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { jsonLine } from "../../json-line.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

export interface ReplayOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** A file of rules; by default the run's own. */
  readonly rules?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function replay({ run, rules: path, workspace, json = false, terminal }: ReplayOptions): Promise<number> {
  const recorded = readControl(run, workspace);
  const rules = path === undefined ? recorded.rules : otherRules(recorded, path);
  const replayed = replayOn(recorded, rules);
  const { decided, consultations, place } = recorded;
  const same = jsonLine(decided) === jsonLine(replayed);
  if (json) {
    terminal.out(jsonLine({ run: place.id, rules: path ?? null, same, decided, replayed }));
    return 0;
  }
  const iterations = new Set(consultations.map(({ iteration }) => iteration)).size;
  const title = `${place.id}, ${iterations} iterations, replayed against ${path ?? "its own rules"}: decisions on what was recorded, not a simulation of what would have followed.`;
  for (const line of wrap(title, terminal.outWidth())) terminal.out(line);
  terminal.out("");
  const sides = { before: storyOf(decided), after: storyOf(replayed) };
  const tiers = tiersOf([...recorded.rules, ...rules]);
  for (const line of countLines(sides, tiers, terminal)) terminal.out(line);
  for (const line of storyLines(sides, tiers, terminal)) terminal.out(line);
  terminal.out(verdict(sides, same));
  return 0;
}

interface Sides {
  readonly before: readonly Said[];
  readonly after: readonly Said[];
}

function tiersOf(rules: readonly Rule[]): Map<string, number> {
  return new Map(rules.map(({ id, tier }) => [id, tier]));
}

/** How often each rule fired and acted. */
function countLines({ before, after }: Sides, tiers: ReadonlyMap<string, number>, terminal: Terminal): string[] {
  const ids = [...new Set([...before, ...after].map(({ rule }) => rule))].filter((id) => tiers.has(id));
  if (ids.length === 0) return ["No rule fired, then or now.", ""];
  const count = (story: readonly Said[], id: string) => {
    const own = story.filter(({ rule, kind }) => rule === id && kind === "said");
    const acted = own.filter((one) => one.acted).length;
    return acted > 0 ? `${own.length} (${acted} acted on)` : String(own.length);
  };
  const rows = ids
    .sort((a, b) => tiers.get(a)! - tiers.get(b)! || a.localeCompare(b))
    .map((id) => [String(tiers.get(id)), printableLine(id), count(before, id), count(after, id)]);
  const columns = [
    { title: "tier", align: "right" },
    { title: "rule" },
    { title: "fired then", align: "right" },
    { title: "fires now", align: "right" },
  ] as const;
  return [...table({ columns, rows, width: terminal.outWidth(), heading: terminal.outColours.bold }), ""];
}

/** Alerts of tiers 1 and 2, side by side; those of tier 3 are only counted. */
function storyLines({ before, after }: Sides, tiers: ReadonlyMap<string, number>, terminal: Terminal): string[] {
  const keyOf = ({ iteration, rule, kind, step }: Said) => `${iteration} ${rule} ${kind} ${step}`;
  const matters = ({ rule }: Said) => (tiers.get(rule) ?? 1) < 3;
  const then = new Map(before.filter(matters).map((one) => [keyOf(one), one]));
  const now = new Map(after.filter(matters).map((one) => [keyOf(one), one]));
  const keys = [...new Set([...then.keys(), ...now.keys()])];
  if (keys.length === 0) return [];
  const at = (key: string) => (then.get(key) ?? now.get(key))!;
  const rows = keys
    .sort((a, b) => at(a).iteration - at(b).iteration)
    .map((key) => {
      const [a, b] = [then.get(key)?.text, now.get(key)?.text];
      return [String(at(key).iteration), text(a), a === b ? "the same" : text(b)];
    });
  const columns = [
    { title: "it", align: "right" },
    { title: "decided then", shrinksTo: 20 },
    { title: "decided now", shrinksTo: 20 },
  ] as const;
  return [...table({ columns, rows, width: terminal.outWidth(), heading: terminal.outColours.bold }), ""];
}

function text(said: string | undefined): string {
  return said === undefined ? "nothing" : printableLine(said);
}

function verdict({ before, after }: Sides, same: boolean): string {
  if (same) return "The decisions are the same, to the last bit.";
  const rows = Math.max(before.length, after.length);
  for (let i = 0; i < rows; i++) {
    if (jsonLine(before[i] ?? null) === jsonLine(after[i] ?? null)) continue;
    const iteration = Math.min(before[i]?.iteration ?? Infinity, after[i]?.iteration ?? Infinity);
    return `The first difference is in iteration ${iteration}.`;
  }
  return "The decisions differ only in their numbers: see --json.";
}
