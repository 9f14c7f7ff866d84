/** The interface through which the trainer records. */
import type { Consultation, IncidentRecord, NewIncident } from "./alerts.ts";
import type {
  AnsweringModel,
  AnswerRecord,
  CommandRecord,
  EventRecord,
  MetricValues,
  RecentRecord,
  RunState,
  SampleRecord,
  SettingRecord,
  Stage,
} from "./records.ts";

/**
 * Where a stage writes its records. It never throws on a full disk: it buffers and warns.
 * All writes of one iteration become durable together, at `commit`.
 */
export interface Recorder {
  readonly runId: string;
  readonly attempt: number;
  metrics(stage: Stage, iteration: number, values: MetricValues): void;
  event(event: EventRecord): void;
  setting(setting: SettingRecord): void;
  samples(stage: Stage, iteration: number, samples: readonly SampleRecord[]): void;
  /** Records answers to the monitoring set. */
  answers(stage: Stage, iteration: number, model: AnsweringModel, answers: readonly AnswerRecord[]): void;
  /**
   * Makes everything recorded so far durable in one transaction, and updates the heartbeat. Committed records survive the end of the
   * process and, with `flush`, a power cut.
   */
  commit(options?: { readonly flush?: boolean }): void;
  /** Commands that have not been applied yet, oldest first. */
  pendingCommands(): CommandRecord[];
  /** Commands that an earlier attempt applied before this iteration of this stage, oldest first: a resumed run applies them again. */
  commandsAppliedAt(stage: Stage, iteration: number): CommandRecord[];
  markApplied(commandId: number, stage: Stage, iteration: number): void;
  state(state: RunState): void;
  /** Records what the stability controller was shown. */
  consultation(consultation: Consultation): void;
  /** Commits together with the incident. Returns its number, or null if it has to wait for the disk. */
  incident(incident: NewIncident): number | null;
  /** Incidents of this run, oldest first. */
  incidents(): IncidentRecord[];
  /** The head of the hash chain over everything committed so far; null if there is no chain. */
  head(): string | null;
  /** What is recorded about the last iterations of a stage, oldest first: their metrics, and the settings that changed. */
  recent(stage: Stage, options: { readonly upTo: number; readonly iterations: number }): RecentRecord;
}
