/** A recorder over plain lists that outlive it, as a database outlives a process: uncommitted records are lost. */
import type { Consultation, IncidentDecision, IncidentRecord, NewIncident } from "../../src/types/alerts.ts";
import type {
  AnsweringModel,
  AnswerRecord,
  CommandKind,
  CommandRecord,
  EventRecord,
  MetricValues,
  RecentRecord,
  RunState,
  SampleRecord,
  SettingRecord,
  Stage,
} from "../../src/types/records.ts";
import type { Recorder } from "../../src/types/run-recorder.ts";

interface Attempted {
  readonly attempt: number;
}

export class MemoryStore {
  readonly metrics: ({ stage: Stage; iteration: number; values: MetricValues } & Attempted)[] = [];
  readonly events: (EventRecord & Attempted)[] = [];
  readonly settings: (SettingRecord & Attempted)[] = [];
  readonly samples: (SampleRecord & { stage: Stage; iteration: number } & Attempted)[] = [];
  readonly answers: (AnswerRecord & { stage: Stage; iteration: number; model: AnsweringModel } & Attempted)[] = [];
  readonly states: RunState[] = [];
  readonly commands: CommandRecord[] = [];
  readonly consultations: (Consultation & Attempted)[] = [];
  readonly incidents: IncidentRecord[] = [];
  readonly applications: ({ id: number; stage: Stage; iteration: number } & Attempted)[] = [];
  #attempts = 0;

  recorder(): MemoryRecorder {
    return new MemoryRecorder(this, ++this.#attempts);
  }

  command(kind: CommandKind, payload: CommandRecord["payload"] = {}, reason = ""): void {
    const id = this.commands.length + 1;
    this.commands.push({
      id,
      kind,
      payload,
      reason,
      operator: null,
      createdAt: 0,
      appliedStage: null,
      appliedIteration: null,
    });
  }

  decide(id: number, decision: Partial<IncidentDecision> & Pick<IncidentDecision, "action">): void {
    const index = this.incidents.findIndex((incident) => incident.id === id);
    const whole: IncidentDecision = { to: null, changes: [], reason: "", operator: null, decidedAt: 0, ...decision };
    this.incidents[index] = { ...this.incidents[index]!, decision: whole };
  }

  /** The newest attempt's metrics of a stage by iteration, without times. */
  curve(stage: Stage): Map<number, Record<string, number>> {
    const rows = new Map<number, Record<string, number>>();
    let attempt = 0;
    for (const row of this.metrics) {
      if (row.stage !== stage) continue;
      if (row.attempt > attempt)
        for (const iteration of rows.keys()) if (iteration >= row.iteration) rows.delete(iteration);
      attempt = row.attempt;
      const lasting = Object.entries(row.values).filter(([key]) => !/^(time|machine)\//.test(key));
      rows.set(row.iteration, { ...rows.get(row.iteration), ...Object.fromEntries(lasting) });
    }
    return rows;
  }

  messages(kind: EventRecord["kind"]): string[] {
    return this.events.filter((event) => event.kind === kind).map((event) => event.message);
  }
}

export class MemoryRecorder implements Recorder {
  readonly runId = "test-1";
  readonly attempt: number;
  readonly #store: MemoryStore;
  #waiting: (() => void)[] = [];
  readonly #applied = new Set<number>();

  constructor(store: MemoryStore, attempt: number) {
    this.#store = store;
    this.attempt = attempt;
  }

  metrics(stage: Stage, iteration: number, values: MetricValues): void {
    for (const [key, value] of Object.entries(values))
      if (typeof value !== "number") throw new TypeError(`metric ${key} is ${value}`);
    this.#later(() => this.#store.metrics.push({ stage, iteration, values, attempt: this.attempt }));
  }

  event(event: EventRecord): void {
    this.#later(() => this.#store.events.push({ ...event, attempt: this.attempt }));
  }

  setting(setting: SettingRecord): void {
    this.#later(() => this.#store.settings.push({ ...setting, attempt: this.attempt }));
  }

  samples(stage: Stage, iteration: number, samples: readonly SampleRecord[]): void {
    this.#later(() =>
      this.#store.samples.push(...samples.map((sample) => ({ ...sample, stage, iteration, attempt: this.attempt }))),
    );
  }

  answers(stage: Stage, iteration: number, model: AnsweringModel, answers: readonly AnswerRecord[]): void {
    const place = { stage, iteration, model, attempt: this.attempt };
    this.#later(() => this.#store.answers.push(...answers.map((answer) => ({ ...answer, ...place }))));
  }

  commit(): void {
    for (const write of this.#waiting) write();
    this.#waiting = [];
  }

  pendingCommands(): CommandRecord[] {
    const applied = this.#store.applications.map(({ id }) => id);
    return this.#store.commands.filter(({ id }) => !applied.includes(id) && !this.#applied.has(id));
  }

  commandsAppliedAt(stage: Stage, iteration: number): CommandRecord[] {
    const here = this.#store.applications.filter(
      (row) => row.stage === stage && row.iteration === iteration && row.attempt < this.attempt,
    );
    const ids = [...new Set(here.map(({ id }) => id))];
    return ids.map((id) => this.#store.commands.find((command) => command.id === id)!);
  }

  markApplied(id: number, stage: Stage, iteration: number): void {
    this.#applied.add(id);
    this.#later(() => this.#store.applications.push({ id, stage, iteration, attempt: this.attempt }));
  }

  state(state: RunState): void {
    this.#later(() => this.#store.states.push(state));
  }

  consultation(consultation: Consultation): void {
    this.#later(() => this.#store.consultations.push({ ...consultation, attempt: this.attempt }));
  }

  incident(incident: NewIncident): number {
    const { runId, attempt } = this;
    const id = this.#store.incidents.length + 1;
    this.#later(() => this.#store.incidents.push({ ...incident, id, runId, attempt, openedAt: 0, decision: null }));
    this.commit();
    return id;
  }

  incidents(): IncidentRecord[] {
    return [...this.#store.incidents];
  }

  head(): string | null {
    return null;
  }

  recent(stage: Stage, { upTo, iterations }: { upTo: number; iterations: number }): RecentRecord {
    const within = (iteration: number) => iteration > upTo - iterations && iteration <= upTo + 1;
    return {
      iterations: [...this.#store.curve(stage)]
        .filter(([iteration]) => within(iteration))
        .map(([iteration, values]) => ({ iteration, values })),
      changes: this.#store.settings.filter(
        (change) => change.stage === stage && change.cause !== "config" && within(change.iteration),
      ),
    };
  }

  #later(write: () => void): void {
    this.#waiting.push(write);
  }
}
