/** Picks notices from a run's events, each once: an alert that leads to an intervention is reported only by that. */
import type { IncidentRecord } from "../types/alerts.ts";
import type { EventRecord } from "../types/records.ts";
import type { EventNotice, RunFacts } from "./payload.ts";
import { type ControlData, tierReader } from "./tier.ts";

export interface WatchOptions {
  readonly run: RunFacts;
  readonly notify: (notice: EventNotice) => void;
  readonly incident: (id: number) => IncidentRecord | null;
}

/** Returns a listener for a run's events, to be called as they are recorded. */
export function watchEvents({ run, notify, incident }: WatchOptions): (event: EventRecord) => void {
  const tierOf = tierReader();
  const alerts = new Map<string, EventNotice>();
  const flush = () => {
    for (const notice of alerts.values()) notify(notice);
    alerts.clear();
  };
  return (event) => {
    const tier = tierOf(event);
    if (tier === null) return;
    const { alert, intervention, incident: id } = (event.data ?? {}) as ControlData;
    const notice: EventNotice = { kind: "event", run, event, tier, incident: id == null ? null : incident(id) };
    if (event.kind === "alert" && alert !== undefined) {
      // The controller's reaction is recorded in the same tick.
      if (alerts.size === 0) setImmediate(flush);
      alerts.set(alert.rule, notice);
      return;
    }
    if (intervention !== undefined) alerts.delete(intervention.rule);
    // Its incident follows, once the state is saved.
    if (intervention?.action === "pause") return;
    notify(notice);
  };
}
