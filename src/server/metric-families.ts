/** The Prometheus metrics of a workspace: each run's state, newest values, and how often the controller fired. */
import type { DerivedState, RunRow, Store } from "../store/index.ts";
import type { Stage } from "../types/records.ts";
import { type Family, metricName, type Sample } from "./prometheus.ts";

export interface FamiliesOptions {
  /** Time in Unix milliseconds. */
  readonly now: number;
}

/** Runs whose last heartbeat is older than this are history: `ballast export` has them. */
const recentMs = 24 * 3_600_000;

const states: readonly DerivedState[] = [
  ...(["created", "running", "paused", "done", "interrupted", "failed", "stopped", "lost"] as const),
];

export function familiesOf(store: Store, { now }: FamiliesOptions): Family[] {
  return store.snapshot(() => {
    const runs = store.runs().filter(({ lastBeat, createdAt }) => now - (lastBeat ?? createdAt) < recentMs);
    const each = (samples: (run: RunRow) => readonly Sample[]) => runs.flatMap(samples);
    const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({
      name,
      help,
      type: "gauge",
      samples,
    });
    return [
      gauge(
        "ballast_run_info",
        "Always 1; its label `objective` is the sentence that heads the run.",
        each(({ id, objective }) => [{ labels: { run: id, objective }, value: 1 }]),
      ),
      gauge(
        "ballast_run_state",
        "1 for the state that the run is in, 0 for the others.",
        each(({ id, state }) =>
          states.map((one) => ({ labels: { run: id, state: one }, value: one === state ? 1 : 0 })),
        ),
      ),
      gauge(
        "ballast_run_attempt",
        "The newest attempt; it grows with each resume and rollback.",
        each(({ id, attempt }) => [{ labels: { run: id }, value: attempt }]),
      ),
      gauge(
        "ballast_run_iteration",
        "The newest iteration (PPO) or step that has metrics.",
        each(({ id, position }) =>
          position === null ? [] : [{ labels: { run: id, stage: position.stage }, value: position.iteration }],
        ),
      ),
      gauge(
        "ballast_run_heartbeat_age_seconds",
        "Since the run's process last gave a sign of life.",
        each(({ id, lastBeat }) =>
          lastBeat === null ? [] : [{ labels: { run: id }, value: (now - lastBeat) / 1000 }],
        ),
      ),
      gauge(
        "ballast_incidents_open",
        "Incidents that wait for an operator's decision.",
        each(({ id }) => [{ labels: { run: id }, value: store.incidents({ run: id, open: true }).length }]),
      ),
      counters(store, runs, "alert"),
      counters(store, runs, "intervention"),
      ...newest(store, runs),
    ];
  });
}

/** Counts over all attempts: a counter must not fall when a run goes back. */
function counters(store: Store, runs: readonly RunRow[], kind: "alert" | "intervention"): Family {
  const samples = runs.flatMap(({ id }) => {
    const counts = store.countByTier(id, kind);
    return ([1, 2, 3] as const).map((tier) => ({ labels: { run: id, tier: String(tier) }, value: counts[tier] }));
  });
  const help = {
    alert: "Alerts of the stability controller.",
    intervention: "Interventions of the stability controller.",
  };
  return { name: `ballast_${kind}s_total`, help: help[kind], type: "counter", samples };
}

/** One family per metric, in the order of their first record. */
function newest(store: Store, runs: readonly RunRow[]): Family[] {
  const families = new Map<string, Sample[]>();
  for (const { id } of runs) {
    const stages = [...new Set(store.keys(id).map(({ stage }) => stage))] as Stage[];
    for (const stage of stages) {
      for (const { key, value } of store.latest(id, stage)) {
        const name = metricName(key);
        const samples = families.get(name) ?? [];
        families.set(name, samples);
        samples.push({ labels: { run: id, stage, key }, value });
      }
    }
  }
  return [...families].map(([name, samples]) => ({
    name,
    help: `The newest value of ${samples[0]?.labels.key}; docs/metrics.md says what it is.`,
    type: "gauge",
    samples,
  }));
}
