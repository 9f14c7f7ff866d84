/** The runs of a table: which of them are shown, and in what order. Pure. */
import type { RunSummary, ShownState } from "../../../src/types/page.ts";
import { stages } from "../../../src/types/records.ts";

/** The runs with the stream's newer summaries, and with runs that are newer than the answer. */
export function merged(runs: readonly RunSummary[], news: ReadonlyMap<string, RunSummary>): RunSummary[] {
  const known = new Set(runs.map(({ id }) => id));
  const fresh = [...news.values()].filter(({ id }) => !known.has(id));
  return [...fresh, ...runs.map((run) => news.get(run.id) ?? run)].sort((a, b) => b.createdAt - a.createdAt);
}

export interface Filter {
  /** Words that must all occur in id, objective, tags or note. */
  readonly text: string;
  /** States, any of which matches; `incident` means that one waits for a decision. Empty means all. */
  readonly states: readonly string[];
  /** Tags, all of which must match. */
  readonly tags: readonly string[];
  readonly archived: boolean;
}

export function matches(run: RunSummary, { text, states, tags, archived }: Filter): boolean {
  if (run.archived && !archived) return false;
  if (states.length > 0 && !states.some((state) => isIn(run, state))) return false;
  if (tags.some((tag) => !run.tags.includes(tag))) return false;
  const found = [run.id, run.objective, run.note, ...run.tags].join("\n").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => found.includes(word));
}

export function isIn(run: RunSummary, state: string): boolean {
  return state === "incident" ? run.openIncidents > 0 : run.state === state;
}

export const columns = {
  run: { says: "Run", of: ({ id }: RunSummary) => id },
  state: { says: "State", of: ({ state }: RunSummary) => stateOrder.indexOf(state) },
  progress: { says: "Progress", of: progressOf },
  health: { says: "Health", of: ({ health }: RunSummary) => health },
  reward: { says: "Reward", of: ({ reward }: RunSummary) => reward },
  kl: { says: "KL", of: ({ kl }: RunSummary) => kl },
  age: { says: "Age", of: ({ createdAt }: RunSummary) => -createdAt },
} as const;

export type ColumnName = keyof typeof columns;

/** States that need attention first. */
const stateOrder: readonly string[] = [
  "lost",
  "stopped",
  "failed",
  "paused",
  "running",
  "interrupted",
  "created",
  "done",
] satisfies ShownState[];

/** Progress in stages done; null before the first iteration. */
export function progressOf({ position }: Pick<RunSummary, "position">): number | null {
  if (position === null) return null;
  const share = position.of === null ? 0 : Math.min(1, (position.iteration + 1) / position.of);
  return stages.indexOf(position.stage) + share;
}

export interface Order {
  readonly by: ColumnName;
  readonly down: boolean;
}

/** Parses an order: `kl`, or `-kl` for the largest first; anything else means the newest first. */
export function orderOf(word: string | undefined): Order {
  const by = (word ?? "").replace(/^-/, "");
  return Object.hasOwn(columns, by)
    ? { by: by as ColumnName, down: word!.startsWith("-") }
    : { by: "age", down: false };
}

/** The runs in order. Rows without a value are always last; NaN comes before every number, so that it is seen. */
export function sorted(runs: readonly RunSummary[], { by, down }: Order): RunSummary[] {
  const { of } = columns[by];
  const rows = runs.map((run) => ({ run, value: of(run) }));
  const sign = down ? -1 : 1;
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null);
    if (by === "run") return sign * String(a.value).localeCompare(String(b.value), "en", { numeric: true });
    const [x, y] = [Number(a.value), Number(b.value)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  });
  return rows.map(({ run }) => run);
}

/** Words of a list in the address, separated by commas. */
export function wordsOf(text: string | undefined): string[] {
  return (text ?? "").split(",").filter(Boolean);
}

/** The list with the word added, or removed if it was present. */
export function toggled(words: readonly string[], word: string): string[] {
  return words.includes(word) ? words.filter((one) => one !== word) : [...words, word];
}
