/** A recorder that keeps nothing: it compares what a run measures again with what it measured before. */
import type { IncidentRecord } from "../../../types/alerts.ts";
import type { CommandRecord, MetricValues, Stage } from "../../../types/records.ts";
import type { Recorder } from "../../../types/run-recorder.ts";

export interface Difference {
  readonly stage: Stage;
  readonly iteration: number;
  readonly key: string;
  /** The recorded value; undefined if the key was not recorded. */
  readonly recorded: number | undefined;
  readonly found: number | undefined;
}

export interface ComparingOptions {
  readonly runId: string;
  /** The recorded metrics of an iteration; empty if there are none. */
  readonly recorded: (stage: Stage, iteration: number) => MetricValues;
  /** The run's commands, which are applied again at the same places. */
  readonly commands: readonly CommandRecord[];
  /** The run's incidents with their decisions, which are carried out again. */
  readonly incidents: readonly IncidentRecord[];
}

export interface Comparing {
  readonly recorder: Recorder;
  /** The first difference so far; null if there is none. */
  readonly first: () => Difference | null;
  /** The number of compared iterations and metrics. */
  readonly count: () => { readonly iterations: number; readonly numbers: number };
  /** The sentence of an incident that the run did not have before; null if there is none. */
  readonly unexpected: () => string | null;
  /** Looks for recorded keys that were not measured again. */
  readonly finish: () => void;
}

export function comparingRecorder({ runId, recorded, commands, incidents }: ComparingOptions): Comparing {
  let first: Difference | null = null;
  let unexpected: string | null = null;
  let numbers = 0;
  const seen = new Map<string, { stage: Stage; iteration: number; keys: Set<string> }>();
  const open: IncidentRecord[] = [];
  const recorder: Recorder = {
    runId,
    attempt: 1,
    metrics(stage, iteration, values) {
      const before = lasting(recorded(stage, iteration));
      // Iterations that the run did not reach are not compared.
      if (Object.keys(before).length === 0) return;
      const place = `${stage} ${iteration}`;
      const { keys } = seen.get(place) ?? { keys: new Set<string>() };
      seen.set(place, { stage, iteration, keys });
      for (const [key, found] of Object.entries(lasting(values))) {
        keys.add(key);
        numbers++;
        if (!same(before[key], found)) first ??= { stage, iteration, key, recorded: before[key], found };
      }
    },
    commandsAppliedAt: (stage, iteration) =>
      commands.filter(
        ({ kind, appliedStage, appliedIteration }) =>
          (kind === "set" || kind === "undo") && appliedStage === stage && appliedIteration === iteration,
      ),
    incident({ rule, iteration, summary }) {
      const known = incidents.findLast((one) => one.rule === rule && one.iteration === iteration);
      if (known) open.push(known);
      else unexpected ??= summary;
      return known?.id ?? null;
    },
    incidents: () => [...open],
    head: () => null,
    recent: () => ({ iterations: [], changes: [] }),
    pendingCommands: () => [],
    event() {},
    setting() {},
    samples() {},
    answers() {},
    commit() {},
    markApplied() {},
    state() {},
    consultation() {},
  };
  return {
    recorder,
    first: () => first,
    unexpected: () => unexpected,
    count: () => ({ iterations: seen.size, numbers }),
    finish() {
      for (const { stage, iteration, keys } of seen.values())
        for (const [key, value] of Object.entries(lasting(recorded(stage, iteration))))
          if (!keys.has(key)) first ??= { stage, iteration, key, recorded: value, found: undefined };
    },
  };
}

/** The metrics without times and memory, which never repeat. */
function lasting(values: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !/^(time|machine)\//.test(key)));
}

/** Whether two values are equal to the bit, except for the sign of zero, which the database does not keep. */
function same(a: number | undefined, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
