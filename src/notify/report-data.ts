/** The data of a report on each run over a span of time, read from the store. */
import type { RunRow, SettingRow, Store } from "../store/index.ts";
import type { IncidentRecord, Tier } from "../types/alerts.ts";
import type { EventKind } from "../types/records.ts";
import type { ControlData } from "./tier.ts";

export interface Report {
  /** Start of the span, in Unix milliseconds; `until` is its exclusive end. */
  readonly since: number;
  readonly until: number;
  /** Runs that were active in the span or wait for a decision, newest first. */
  readonly runs: readonly RunReport[];
}

export interface RunReport {
  readonly run: RunRow;
  /** Alerts by tier, then by how often they occurred. */
  readonly alerts: readonly AlertGroup[];
  /** Interventions in order. */
  readonly interventions: readonly InterventionReport[];
  /** Incidents in the span, and older ones that are still open. */
  readonly incidents: readonly IncidentRecord[];
  readonly changes: readonly SettingRow[];
  readonly health: readonly HealthReport[];
}

export interface AlertGroup {
  readonly tier: Tier;
  readonly rule: string;
  readonly count: number;
  /** First and last iteration. */
  readonly from: number;
  readonly to: number;
  /** The newest alert's message. */
  readonly message: string;
}

export interface InterventionReport {
  readonly id: number;
  readonly tier: Tier;
  readonly iteration: number;
  readonly reason: string;
  /** The outcome in a sentence; null while the intervention is in force, and for one-time actions. */
  readonly outcome: string | null;
  /** Whether a newer attempt has superseded that iteration. */
  readonly superseded: boolean;
}

export interface HealthReport {
  readonly key: string;
  readonly newest: number;
  readonly lowest: number;
  /** Iteration of the lowest value. */
  readonly at: number;
}

export interface ReportQuery {
  readonly since: number;
  readonly until: number;
  /** Only this run. */
  readonly run?: string;
}

export function reportOf(store: Store, { since, until, run }: ReportQuery): Report {
  return store.snapshot(() => {
    const open = new Set(store.incidents({ open: true }).map(({ runId }) => runId));
    const runs = store
      .runs()
      .filter(({ id }) => run === undefined || id === run)
      .filter(
        ({ id, createdAt, lastBeat }) =>
          id === run || (createdAt < until && (Math.max(createdAt, lastBeat ?? 0) >= since || open.has(id))),
      );
    return { since, until, runs: runs.map((row) => runReport(store, row, { since, until })) };
  });
}

function runReport(store: Store, run: RunRow, { since, until }: { since: number; until: number }): RunReport {
  const { id } = run;
  const within = ({ at }: { readonly at: number }) => at >= since && at < until;
  const all = { limit: Number.MAX_SAFE_INTEGER };
  const events = (kind: EventKind) => store.events(id, { ...all, kind }).rows.filter(within);
  const outcomes = new Map(
    events("outcome").flatMap(({ data, message }) => {
      const { outcome } = (data ?? {}) as ControlData;
      return outcome ? [[outcome.intervention, message] as const] : [];
    }),
  );
  return {
    run,
    alerts: alertGroups(events("alert")),
    interventions: events("intervention").flatMap(({ data, iteration, message, superseded }) => {
      const { intervention } = (data ?? {}) as ControlData;
      if (intervention === undefined) return [];
      const { id, tier } = intervention;
      return [{ id, tier, iteration, reason: message, outcome: outcomes.get(id) ?? null, superseded }];
    }),
    incidents: store
      .incidents({ run: id })
      .filter(({ openedAt, decision }) => openedAt < until && (openedAt >= since || decision === null)),
    changes: store.settings(id, all).rows.filter((row) => within(row) && row.cause !== "config"),
    health: healthOf(store, id, since),
  };
}

function alertGroups(
  events: readonly { readonly iteration: number; readonly message: string; readonly data?: unknown }[],
): AlertGroup[] {
  const groups = new Map<string, AlertGroup>();
  for (const { iteration, message, data } of events) {
    const { alert } = (data ?? {}) as ControlData;
    if (alert === undefined) continue;
    const { rule, tier } = alert;
    const { count, from } = groups.get(rule) ?? { count: 0, from: iteration };
    groups.set(rule, { tier, rule, count: count + 1, from, to: iteration, message });
  }
  return [...groups.values()].sort((a, b) => a.tier - b.tier || b.count - a.count);
}

function healthOf(store: Store, runId: string, since: number): HealthReport[] {
  const from = store.firstIterationSince(runId, "ppo", since);
  if (from === undefined) return [];
  return store
    .keys(runId)
    .filter(({ stage, key }) => stage === "ppo" && key.startsWith("health/"))
    .flatMap(({ key }) => {
      const { points } = store.series(runId, "ppo", key, { from, maxPoints: Number.POSITIVE_INFINITY });
      const newest = points.at(-1)?.last;
      if (newest === undefined) return [];
      // A health that is not a number counts as the worst.
      const lowest =
        points.find(({ last }) => Number.isNaN(last)) ??
        points.reduce((low, point) => (point.last < low.last ? point : low));
      return [{ key, newest, lowest: lowest.last, at: lowest.from }];
    });
}
