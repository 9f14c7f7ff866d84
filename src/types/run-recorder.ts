/** What the trainer records, as whoever keeps it offers it. */
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
 * Where a stage writes what it sees. It never throws for a full disk: it buffers and warns.
 * All writes of one iteration become durable together, at `commit`.
 */
export interface Recorder {
  readonly runId: string;
  readonly attempt: number;
  metrics(stage: Stage, iteration: number, values: MetricValues): void;
  event(event: EventRecord): void;
  setting(setting: SettingRecord): void;
  samples(stage: Stage, iteration: number, samples: readonly SampleRecord[]): void;
  /** Answers to the monitoring set. */
  answers(stage: Stage, iteration: number, model: AnsweringModel, answers: readonly AnswerRecord[]): void;
  /**
   * Makes everything recorded so far durable, in one transaction, and beats the heart. What is committed survives the end of the
   * process; with `flush` a power cut too.
   */
  commit(options?: { readonly flush?: boolean }): void;
  /** Commands not applied yet, oldest first. */
  pendingCommands(): CommandRecord[];
  /** Commands that an earlier attempt applied before this iteration of this stage, oldest first: a resumed run applies them again. */
  commandsAppliedAt(stage: Stage, iteration: number): CommandRecord[];
  markApplied(commandId: number, stage: Stage, iteration: number): void;
  state(state: RunState): void;
  /** What the stability controller was shown. */
  consultation(consultation: Consultation): void;
  /** Commits, the incident with it. Returns its number, or null where it has to wait for the disk. */
  incident(incident: NewIncident): number | null;
  /** Incidents of this run, oldest first. */
  incidents(): IncidentRecord[];
  /** What is recorded of the last iterations of a stage, oldest first: their metrics, and the settings changed in them. */
  recent(stage: Stage, options: { readonly upTo: number; readonly iterations: number }): RecentRecord;
}
