/** The rows that each stage reads: the user's files, or the built-in task's if there are none. */

import {
  alsoTrainedOn,
  createReport,
  describeLeftOut,
  helpdesk,
  type PreferenceRow,
  type PromptRow,
  type RatedResponse,
  type ReadReport,
  ratedResponses,
  readPreferenceRows,
  readPromptRows,
  readRatings,
  readSftRows,
  type SftRow,
  splitHeldOut,
  textsOfRow,
  useAll,
} from "../data/index.ts";
import { checkReferences } from "../reward/index.ts";
import type { Config, DataConfig } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import type { GoldCheck } from "./evaluate.ts";

export interface Split<Row> {
  readonly train: readonly Row[];
  readonly heldOut: readonly Row[];
}

/** The rows of a run. Each list is read once, on first use. */
export interface RunRows {
  readonly objective: string;
  sft(): Split<SftRow>;
  /** The training pairs. The built-in task flips some of their labels, so that a pair may occur both ways. */
  pairs(): Split<PreferenceRow> & { readonly flippedOnPurpose: boolean };
  /** The prompts that PPO trains on, without those held out. */
  prompts(): readonly PromptRow[];
  /** Prompts for reports, and whether the policy also trains on them. */
  evaluation(): { readonly rows: readonly PromptRow[]; readonly seen: boolean };
  /** The built-in task: its objective, and its gold check, which judges only its own rows. null without a section demo. */
  readonly task: { readonly objective: string; readonly check: GoldCheck } | null;
  /** Prompts for monitoring, which are used neither in training nor in reports; may be empty. */
  monitoring(): readonly PromptRow[];
  /** Responses with human ratings, each once with their mean. */
  ratings(): readonly RatedResponse[];
  /** One report of every row that the lists read so far leave out; null if they leave none out. */
  leftOut(): string | null;
  /** Every text of the configured stages, for a tokenizer that is made from them. */
  texts(): Iterable<string>;
}

/** Fewer held-out prompts than these, half for monitoring and half for the evaluation, say nothing; more than the others only cost training. */
const fewestHeldOut = 8;
const mostHeldOut = 512;

export function openRows(config: Config): RunRows {
  const task = config.demo ? helpdesk({ seed: config.seed, variant: config.demo.variant }) : null;
  const { seed, sft, reward, ppo, evaluation, control } = config;

  function rowsOf<Row>(
    data: DataConfig | undefined,
    read: (source: DataConfig) => Row[],
    own: readonly Row[] | undefined,
  ) {
    if (data) return read(data);
    if (own) return own;
    throw new UsageError("a stage has no rows", "Give it a file of rows, or the configuration a section demo.");
  }
  const reports = new Map<string, ReadReport>();
  const reported = <Source>(key: string, source: Source): Source & { report: ReadReport } => {
    const report = createReport();
    reports.set(key, report);
    return { ...source, report };
  };
  // A user's rows have columns, and may have kinds of their own.
  const taskCheck: GoldCheck = async ({ prompts, texts }) =>
    prompts.map(({ row: { kind, reference, columns } }, k) =>
      task === null || kind === undefined || columns !== undefined
        ? {}
        : (task.check(kind, reference, texts[k]!) as Record<string, boolean>),
    );
  const prompts = once((): Split<PromptRow> => {
    const all = rowsOf(ppo?.prompts, (data) => readPromptRows(reported("ppo.prompts", data)), task?.prompts);
    const kept = { train: all, heldOut: [] };
    if (!ppo?.prompts || (evaluation.prompts && control.monitor.prompts)) return kept;
    const share = Math.min(ppo.evaluationShare, mostHeldOut / all.length);
    if (share * all.length < fewestHeldOut) return kept;
    const split = splitHeldOut(all, share, seed);
    // Rows of one prompt have nothing to hold out.
    return alsoTrainedOn(split) > 0 ? kept : split;
  });
  const rows: RunRows = {
    objective: config.objective || (task?.objective ?? ""),
    sft: once(() => {
      const read = (key: string) => (data: DataConfig) => readSftRows(reported(key, data), sft?.emptyAnswers);
      const all = () => rowsOf(sft?.data, read("sft.data"), task?.sft);
      const { train, heldOut } = together(all, sft?.evaluation, read("sft.evaluation"));
      return heldOut ? { train, heldOut } : splitHeldOut(train, sft?.evaluationShare ?? 0, seed);
    }),
    pairs: once(() => {
      const read = (key: string) => (data: DataConfig) => readPreferenceRows(reported(key, data), reward?.emptyAnswers);
      const all = () => rowsOf(reward?.data, read("reward.data"), task?.preferences);
      const { train, heldOut } = together(all, reward?.evaluation, read("reward.evaluation"));
      const flippedOnPurpose = !reward?.data;
      if (heldOut) return { train, heldOut, flippedOnPurpose };
      // The task's own are better than a split: their labels are clean and their phrasings new.
      if (task && !reward?.data) return { train, heldOut: task.preferenceEvaluation, flippedOnPurpose };
      return { ...splitHeldOut(train, reward?.evaluationShare ?? 0, seed), flippedOnPurpose };
    }),
    prompts: () => prompts().train,
    evaluation: once(() => {
      if (evaluation.prompts) {
        const rows = readPromptRows(reported("evaluation.prompts", evaluation.prompts));
        return { rows, seen: false };
      }
      if (task && !ppo?.prompts) return { rows: task.evaluation, seen: false };
      const own = prompts().heldOut.filter((_, i) => control.monitor.prompts !== undefined || i % 2 === 1);
      return own.length > 0 ? { rows: own, seen: false } : { rows: rows.prompts(), seen: true };
    }),
    task: task && { objective: task.objective, check: taskCheck },
    monitoring: once(() => {
      if (control.monitor.prompts) {
        const source = reported("control.monitor.prompts", control.monitor.prompts);
        return readPromptRows(source);
      }
      if (task && !ppo?.prompts) return task.monitor;
      return prompts().heldOut.filter((_, i) => evaluation.prompts !== undefined || i % 2 === 0);
    }),
    ratings: once(() =>
      control.probes.ratings === undefined ? [] : ratedResponses(readRatings(control.probes.ratings, "")),
    ),
    leftOut: () => describeLeftOut(reports),
    *texts() {
      if (task) yield* task.texts;
      if (sft?.data) for (const row of rows.sft().train) yield* textsOfRow(row);
      if (reward?.data) for (const row of rows.pairs().train) yield* textsOfRow(row);
      if (ppo?.prompts) for (const row of [...prompts().train, ...prompts().heldOut]) yield* textsOfRow(row);
    },
  };
  return rows;
}

/** Reads both, so that mistakes in one do not hide those in the other. */
function together<Row>(
  train: () => readonly Row[],
  evaluation: DataConfig | undefined,
  read: (source: DataConfig) => Row[],
): { readonly train: readonly Row[]; readonly heldOut: readonly Row[] | null } {
  const [all, own] = useAll([train, () => (evaluation ? read(evaluation) : null)], (list) => list());
  return { train: all!, heldOut: own ?? null };
}

/** Calls a function once; a call that throws is not remembered. */
function once<Made>(make: () => Made): () => Made {
  let made: { readonly value: Made } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * Reads every list that the run needs, so that mistakes are known before a folder is made or a step taken. Throws one RowsError for all rows that
 * cannot be used, and what `checkAnswers` throws.
 */
export function checkRows(config: Config, rows: RunRows = openRows(config)): void {
  const lists: (() => unknown)[] = [
    ...(config.sft ? [rows.sft] : []),
    ...(config.reward ? [rows.pairs] : []),
    ...(config.ppo ? [rows.prompts, rows.evaluation, rows.monitoring, rows.ratings] : []),
  ];
  useAll(lists, (read) => read());
  checkAnswers(config, rows);
}

/**
 * Checks that every prompt has the reference answer that the reward's verifiers need: the training prompts, and those for reports and monitoring that
 * use the same reward. Throws RowsError with their number and places.
 */
export function checkAnswers({ ppo }: Config, rows: RunRows): void {
  if (!ppo) return;
  const { rows: evaluation, seen } = rows.evaluation();
  const lists = [rows.prompts(), seen ? [] : evaluation, rows.monitoring()];
  useAll(lists, (list) => checkReferences(ppo.rewards, list));
}
