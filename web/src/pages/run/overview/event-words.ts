/** How a list shows events and charts mark them: shape, tone and words by kind, with many small ones folded into one. */
import type { PageEvent } from "../../../../../src/types/page.ts";
import type { EventKind, Stage } from "../../../../../src/types/records.ts";
import type { Mark } from "../../../components/chart-ink.ts";
import { type Tone, visible } from "../../../format.ts";

interface Look {
  readonly shape: string;
  readonly tone: Tone;
  /** Whether it is a routine event. */
  readonly quiet?: boolean;
}

const looks: Readonly<Record<EventKind, Look>> = {
  stage_started: { shape: "▷", tone: "quiet", quiet: true },
  stage_finished: { shape: "✓", tone: "good", quiet: true },
  checkpoint: { shape: "◆", tone: "quiet", quiet: true },
  resumed: { shape: "↻", tone: "quiet" },
  interrupted: { shape: "◼", tone: "warn" },
  setting: { shape: "Δ", tone: "quiet" },
  command: { shape: "›", tone: "quiet" },
  warning: { shape: "!", tone: "warn" },
  error: { shape: "✗", tone: "bad" },
  invariant: { shape: "=", tone: "quiet", quiet: true },
  evaluation: { shape: "≡", tone: "quiet", quiet: true },
  alert: { shape: "▲", tone: "warn" },
  intervention: { shape: "◈", tone: "warn" },
  outcome: { shape: "◇", tone: "quiet" },
  incident: { shape: "■", tone: "bad" },
  rollback: { shape: "↶", tone: "bad" },
  fault: { shape: "↯", tone: "bad" },
  note: { shape: "·", tone: "quiet", quiet: true },
};

const alertLooks: Readonly<Record<1 | 2 | 3, Look>> = {
  1: { shape: "✗", tone: "bad" },
  2: { shape: "▲", tone: "warn" },
  3: { shape: "△", tone: "quiet", quiet: true },
};

export function lookOf({ kind, tier }: Pick<PageEvent, "kind" | "tier">): Look {
  return kind === "alert" && tier !== undefined ? alertLooks[tier] : (looks[kind] ?? looks.note);
}

/** The word for each kind of event in the filter. */
export const kindWords: Readonly<Record<EventKind, string>> = {
  alert: "alerts",
  intervention: "interventions",
  outcome: "outcomes",
  incident: "incidents",
  rollback: "rollbacks",
  checkpoint: "checkpoints",
  setting: "changed settings",
  command: "commands",
  resumed: "resumes",
  interrupted: "interruptions",
  evaluation: "evaluations",
  warning: "warnings",
  error: "errors",
  invariant: "invariants",
  fault: "injected faults",
  stage_started: "beginnings",
  stage_finished: "ends",
  note: "notes",
};

/** A sentence with paths shortened to the run's own folder. */
export function sentenceOf(message: string, runId: string): string {
  const words = visible(message).split(" ");
  const short = words.map((word) => {
    const place = word.startsWith("/") ? word.lastIndexOf(`/${runId}/`) : -1;
    return place < 0 ? word : word.slice(place + runId.length + 2);
  });
  return short.join(" ").replace(/\s+->\s+/g, " → ");
}

export interface Filter {
  readonly kind: EventKind | null;
  readonly tier: 1 | 2 | 3 | null;
}

export function matches(event: PageEvent, { kind, tier }: Filter): boolean {
  return (kind === null || event.kind === kind) && (tier === null || event.tier === tier);
}

/** Marks of events, without superseded ones: the charts no longer show their iterations. */
export function marksOf(events: readonly PageEvent[], { stage, runId }: { stage: Stage; runId: string }): Mark[] {
  return events
    .filter((event) => event.stage === stage && !event.superseded)
    .map((event) => {
      const { shape, tone, quiet = false } = lookOf(event);
      return { iteration: event.iteration, says: sentenceOf(event.message, runId), shape, tone, quiet };
    });
}

export interface Fold {
  /** Events, newest first. */
  readonly events: readonly PageEvent[];
}

/** Fewer lines than this are not folded. */
const atLeast = 3;
/** Iterations within which the same message counts as a repetition. */
const episode = 10;

/**
 * Events, newest first. Notes (alerts of tier 3), checkpoints except the newest, and repetitions of a newer line are folded if three or more are
 * adjacent.
 */
export function folded(events: readonly PageEvent[]): (PageEvent | Fold)[] {
  const list: (PageEvent | Fold)[] = [];
  const said = new Map<string, number>();
  let open: PageEvent[] = [];
  const close = () => {
    if (open.length >= atLeast) list.push({ events: open });
    else list.push(...open);
    open = [];
  };
  for (const event of [...events].reverse()) {
    const subject = subjectOf(event);
    const newer = said.get(subject);
    said.set(subject, event.iteration);
    const isRepeated = newer !== undefined && newer - event.iteration <= episode;
    const canRepeat = ["alert", "warning", "intervention"].includes(event.kind);
    const isOlderCheckpoint = event.kind === "checkpoint" && newer !== undefined;
    if (event.tier === 3 || isOlderCheckpoint || (canRepeat && isRepeated)) open.push(event);
    else {
      close();
      list.push(event);
    }
  }
  close();
  return list;
}

/** The words for a fold: `6 folded: entropy ×3, checkpoints ×2, gold correlation`. */
export function foldWords({ events }: Fold): string {
  const counts = new Map<string, number>();
  for (const event of events) {
    const name = event.rule?.replace(/_note$/, "").replaceAll("_", " ") ?? kindWords[event.kind];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const each = [...counts].sort((a, b) => b[1] - a[1]).map(([name, n]) => (n > 1 ? `${name} ×${n}` : name));
  const shown = each.slice(0, 4).join(", ");
  return `${events.length} folded: ${shown}${each.length > 4 ? `, ${each.length - 4} more` : ""}`;
}

/** The subject of an event; messages without a rule differ only by their numbers. */
function subjectOf({ kind, stage, rule, message, superseded }: PageEvent): string {
  if (kind === "checkpoint") return `${kind} ${stage}`;
  return `${kind} ${stage} ${superseded} ${rule ?? message.replace(/[\d.e-]+/g, "#")}`;
}
