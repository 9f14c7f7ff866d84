/** Shows the events that a stage records on the terminal, as they come. */
import { tierReader } from "../notify/tier.ts";
import type { EventRecord, MetricValues } from "../types/records.ts";
import { printableLine } from "../util/sanitize.ts";
import { showCommand } from "./find-run.ts";
import { duration } from "./number-format.ts";
import { withoutCurrentDirectory } from "./short-path.ts";
import { shownValues } from "./shown-values.ts";
import type { Terminal } from "./terminal.ts";

export interface AnnouncerOptions {
  /** Prints a permanent line. */
  readonly note: (line: string) => void;
  readonly colours: Terminal["noteColours"];
  /** Whether rules of tier 2 act; if they only alert, the alert is shown. */
  readonly tier2Acts: boolean;
  /** Whether the run stays open for an operator's decision. */
  readonly waits: boolean;
  /** The workspace of its incidents. */
  readonly workspace: string;
  readonly now?: () => number;
}

export interface Announcer {
  event(event: EventRecord): void;
  progress(report: { readonly values: MetricValues }): void;
}

/** Makes an announcer of events and of how long each stage took. */
export function createAnnouncer({
  note,
  colours: c,
  tier2Acts,
  waits,
  workspace,
  now = Date.now,
}: AnnouncerOptions): Announcer {
  let startedAt = now();
  let told = "";
  let hint = "  (recorded; control.profile=adaptive acts on tier 2)";
  let last: MetricValues = {};
  const tierOf = tierReader();
  return {
    progress({ values }) {
      last = values;
    },
    event(event) {
      const { kind, stage, iteration, message } = event;
      const tier = tierOf(event);
      const text = printableLine(withoutCurrentDirectory(message));
      if (kind === "stage_started" || kind === "resumed") startedAt = now();
      if (kind === "stage_started") note(c.bold(text));
      else if (kind === "stage_finished") {
        const figures = shownValues(last).map(([label, value]) => `${label} ${value}`);
        note([`${c.green("✓")} ${stage} done in ${duration((now() - startedAt) / 1000)}`, ...figures].join(", "));
        last = {};
      } else if (kind === "warning") note(`${c.yellow("warning:")} ${text}`);
      else if (kind === "error") note(`${c.red("error:")} ${text}`);
      else if (tier !== null) {
        // Actions announce themselves: tier 2 as its intervention, tier 1 as its incident. What happens in every minibatch of an iteration is
        // announced once.
        const isQuiet = kind === "alert" && (tier === 3 || (tier === 2 && tier2Acts));
        if (isQuiet || isStop(event) || `${iteration} ${message}` === told) return;
        told = `${iteration} ${message}`;
        const colour = { 1: c.red, 2: c.yellow, 3: c.dim }[tier];
        const once = kind === "alert" && tier === 2 ? hint : "";
        if (once !== "") hint = "";
        note(`${colour(`tier ${tier}`)}  it ${iteration}  ${text}${c.dim(once)}`);
        const incident = kind === "incident" ? event.data?.incident : null;
        if (waits && typeof incident === "number")
          note(`  waiting; how to decide: ${showCommand(incident, workspace)}`);
      } else if (kind !== "checkpoint" && kind !== "setting" && kind !== "interrupted") note(c.dim(text));
    },
  };
}

function isStop({ kind, data }: EventRecord): boolean {
  const { action } = (data?.intervention ?? {}) as { action?: unknown };
  return kind === "intervention" && (action === "pause" || action === "stop" || action === "rollback");
}
