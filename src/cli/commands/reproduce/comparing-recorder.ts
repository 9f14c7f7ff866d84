/** A recorder that keeps nothing: it compares what a run measures again with what it measured before. */
import type { IncidentRecord } from "../../../types/alerts.ts";
import type { CommandRecord, MetricValues, Stage } from "../../../types/records.ts";
import type { Recorder } from "../../../types/run-recorder.ts";

export interface Difference {
  readonly stage: Stage;
  readonly iteration: number;
  readonly key: string;
  /** undefined where the key was not there. */
  readonly recorded: number | undefined;
  readonly found: number | undefined;
}

export interface ComparingOptions {
  readonly runId: string;
  /** What was recorded of an iteration, empty where nothing was. */
  readonly recorded: (stage: Stage, iteration: number) => MetricValues;
  /** Given to the run by people: they are applied again where they were. */
  readonly commands: readonly CommandRecord[];
  /** With what people decided on them, which is done again. */
  readonly incidents: readonly IncidentRecord[];
}

export interface Comparing {
  readonly recorder: Recorder;
  /** The first difference so far; null for none. */
  readonly first: () => Difference | null;
  /** Iterations and numbers that were compared. */
  readonly count: () => { readonly iterations: number; readonly numbers: number };
  /** The sentence of an incident that the run did not have before; null for none. */
  readonly unexpected: () => string | null;
  /** Looks for keys that were recorded and did not come again. */
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
      // What the run did not come to is not compared.
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

/** Without times and memory, which never repeat. */
function lasting(values: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !/^(time|machine)\//.test(key)));
}

/** To the bit, but for the sign of zero, which the database does not keep. */
function same(a: number | undefined, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
