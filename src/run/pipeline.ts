/** The whole of a run: SFT, reward model, PPO, evaluation, each if it is configured and from where it was left. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { trainOnline } from "../algorithms/online-stage.ts";
import { modelFoldersOf } from "../config/config-paths.ts";
import { type RunOrigin, sealRun } from "../config/run-manifest.ts";
import { evaluatedHealth } from "../control/health/evaluated-health.ts";
import { fitsScale, inactiveWhy, loadRules } from "../control/rules/load-rules.ts";
import { leverOf, type Rule } from "../control/rules/rule.ts";
import { describeTally, type RowTally } from "../data/index.ts";
import { absentSignals, checkCapabilities, isMovable, type ModelRole } from "../engine/capabilities.ts";
import type { Engine, ModelConfig } from "../engine/engine.ts";
import { levers } from "../levers/levers.ts";
import { scratchConfig } from "../models/family.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Tokenizer } from "../text/index.ts";
import { removeTemporary, verifyFolder, writeFolder } from "../trainer/atomic-folder.ts";
import { checkFunctions } from "../trainer/check-functions.ts";
import { checkModels, checkReach } from "../trainer/check-models.ts";
import { checkRecorded } from "../trainer/checkpoint.ts";
import { checkData, fingerprintData, recordData } from "../trainer/data-record.ts";
import { type EncodedRows, encodeRows, type PreparedRows } from "../trainer/encoded-rows.ts";
import { evaluateRun, ownRewardModel, startingPolicy } from "../trainer/evaluate-run.ts";
import { isOutgrown, readFinal } from "../trainer/final.ts";
import type { GoldPlan } from "../trainer/gold-plan.ts";
import { saveModelFolder, stateOf } from "../trainer/model-folder.ts";
import { recordModels } from "../trainer/model-record.ts";
import type { OnlineInputs } from "../trainer/online-run.ts";
import { openGold } from "../trainer/open-gold.ts";
import { openReward, rewardFolders, sameTokenizer } from "../trainer/open-reward.ts";
import { trainReward } from "../trainer/reward-model.ts";
import { readScales } from "../trainer/reward-scales.ts";
import { checkAnswers, openRows, type RunRows } from "../trainer/run-rows.ts";
import { openTokenizer, tokenizerFolder } from "../trainer/run-tokenizer.ts";
import type { Progress, StageResult } from "../trainer/run-types.ts";
import { trainSft } from "../trainer/sft.ts";
import type { StageContext } from "../trainer/stage-context.ts";
import { type ModelSource, modelSizes, textIdsOf } from "../trainer/stage-models.ts";
import type { Evaluation } from "../types/evaluation.ts";
import { type Stage, stages } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { counted } from "../util/counted.ts";
import { writeDurably } from "../util/durable.ts";
import { CheckpointError, DataError, UsageError } from "../util/errors.ts";
import { readOwnJson, toJson } from "../util/json-values.ts";
import { examineAtStart } from "./doctor-at-start.ts";

export interface RunOptions {
  readonly config: Config;
  /** The run's own folder, which exists and is locked by this process. */
  readonly folder: string;
  readonly recorder: Recorder;
  readonly engine: Engine;
  /** Continue from the content of the folder; otherwise, a folder with a stage in it is refused. */
  readonly resume: boolean;
  readonly onProgress: (progress: Progress) => void;
  /** Called as a stage begins, or goes on. */
  readonly onStage?: (stage: Stage) => void;
  /** Called between steps and between passes of the engine: true ends the run after its state is saved. */
  readonly interrupted: () => boolean;
  /** The rows, if the caller has read and encoded them already. */
  readonly prepared?: PreparedRows;
  /** Continue even if rows have changed since the run began. */
  readonly allowChangedData?: boolean | undefined;
  /** Wait in this process for the operator's decision on an incident. */
  readonly wait?: boolean;
}

export interface PipelineResult {
  /** Results in the order in which the stages ran. */
  readonly stages: readonly StageResult[];
  /** Folder of the last stage's model. */
  readonly final: string;
  /** The evaluation before and after PPO; null if the run has no PPO stage. */
  readonly evaluation: Evaluation | null;
}

interface Run extends RunOptions {
  readonly rows: RunRows;
  readonly encoded: EncodedRows;
  readonly tokenizer: Tokenizer;
  readonly origin: RunOrigin;
}

/**
 * Runs the configured stages in order, and evaluates the policy before and after PPO. With `resume` it continues at the first unfinished stage.
 * Throws Interrupted once the state is saved.
 */
export async function runPipeline(options: RunOptions): Promise<PipelineResult> {
  const { config, folder, recorder, resume } = options;
  if (config.ppo?.rewards.some(({ kind }) => kind === "caller"))
    throw new UsageError(
      "prompts and scores of this run come from a program that uses the library",
      "Run that program again: it goes on where this run was left.",
    );
  recorder.state("running");
  const data = options.prepared?.data ?? (resume ? null : fingerprintData(config));
  const rows = options.prepared?.rows ?? openRows(config);
  for (const model of modelFoldersOf(config)) await verifyFolder(model);
  if (resume) await removeTemporary(folder);
  const tokenizer = await openTokenizer(config, { folder, texts: rows.texts });
  const origin = await sealRun(folder, { begins: !resume });
  const wanted = stages.filter((stage) => config[stage] !== undefined);
  for (const message of tokenizer.notes) recorder.event({ kind: "note", stage: wanted[0]!, iteration: 0, message });
  const done = new Map<Stage, StageResult>();
  for (const stage of wanted) {
    const finished = await readFinal(join(folder, stage), origin);
    if (finished && !isOutgrown(finished, config)) done.set(stage, finished);
  }
  // A model that is trained further is measured again.
  if (resume && wanted.some((stage) => !done.has(stage))) rmSync(evaluationFile(folder), { force: true });
  checkCapabilities(await options.engine.info(), config);
  await checkModels({ engine: options.engine, config, tokenizer, folder });
  const evaluated = !config.ppo || existsSync(evaluationFile(folder));
  const unfinished = [...wanted.filter((stage) => !done.has(stage)), ...(evaluated ? [] : (["evaluation"] as const))];
  // Rows in memory are those with which the run began.
  if (data === null) {
    const allowChanged = options.allowChangedData ?? false;
    const stage = wanted.find((stage) => !done.has(stage)) ?? "ppo";
    for (const message of await checkData({ config, folder, unfinished, allowChanged }))
      recorder.event({ kind: "warning", stage, iteration: 0, message });
  } else if (!resume) await recordData(folder, data);
  if (!resume) await recordModels(config, folder);
  const { padId, eosId, tokenText } = tokenizer;
  if (!resume && padId === eosId && wanted[0] !== undefined) {
    const message = `the tokenizer has no padding token of its own: sequences are padded by their lengths, and generation_config.json of saved models names ${tokenText(eosId)} (${eosId}) for it`;
    recorder.event({ kind: "note", stage: wanted[0], iteration: 0, message });
  }
  checkAnswers(config, rows);
  if (!done.has("ppo") && wanted.some((stage) => stage !== "ppo" && !done.has(stage)))
    await checkFunctions(config, rows);
  const encoded = options.prepared?.encoded ?? encodeRows({ config, rows, tokenizer, onEncoding: options.onProgress });
  if (!resume) await examineAtStart(config, { folder, recorder, rows, tokenizer });
  const run: Run = { ...options, rows, encoded, tokenizer, origin };
  encoded.check(unfinished);
  const leftOut = rows.leftOut();
  if (leftOut !== null) {
    const stage = wanted.find((one) => !done.has(one)) ?? "ppo";
    recorder.event({ kind: "warning", stage, iteration: 0, message: leftOut });
    recorder.commit();
  }
  const results: StageResult[] = [];
  let trained = false;
  for (const stage of wanted) {
    const finished = done.get(stage) ?? null;
    if (finished !== null && !resume)
      throw new CheckpointError(
        `${folder} holds an earlier run, whose ${stage} is done`,
        "Resume it, or start in an empty folder.",
      );
    if (finished !== null)
      checkRecorded({ stage, recorder, resume }, { folder: finished.folder, step: finished.steps });
    results.push(finished ?? (await trainers[stage](run)));
    trained ||= finished === null;
  }
  const last = results.at(-1);
  if (last === undefined)
    throw new DataError("the configuration has no stage", "Give it a section sft, reward or ppo.");
  return {
    stages: results,
    final: last.folder,
    evaluation: config.ppo ? await finalEvaluation(run, { trained, last }) : null,
  };
}

const trainers: Readonly<Record<Stage, (run: Run) => Promise<StageResult>>> = { sft, reward, ppo };

async function sft(run: Run): Promise<StageResult> {
  const { config, encoded } = run;
  const context = contextOf(run, "sft");
  const source = fromFolder(config.model.path) ?? { sizes: scratchSizes(run) };
  const { tally, caution, ...sets } = encoded.sft(await contextOfSource(run, source, "policy"));
  tellTally(context, tally.train);
  tellTally(context, tally.heldOut, "held-out rows");
  if (caution !== null) warn(context, caution);
  if ("folder" in source) await tellStates(run, context, [{ folder: source.folder, role: "policy", trains: true }]);
  return trainSft(context, { settings: config.sft!, source, ...sets });
}

async function reward(run: Run): Promise<StageResult> {
  const { config, folder, encoded, engine } = run;
  const context = contextOf(run, "reward");
  const settings = config.reward!;
  const ownPolicy = config.sft ? join(folder, "sft", "final") : undefined;
  const from = settings.from ?? ownPolicy ?? config.model.path;
  const source = fromFolder(from) ?? { sizes: scratchSizes(run) };
  const { tally, caution, train, heldOut, prompts, maxNewTokens } = encoded.reward(
    await contextOfSource(run, source, "reward"),
  );
  tellTally(context, tally.train);
  tellTally(context, tally.heldOut, "held-out rows");
  if (caution !== null) warn(context, caution);
  if ("folder" in source) await tellStates(run, context, [{ folder: source.folder, role: "reward", trains: true }]);
  // Samples of the policy from which PPO starts.
  const policy = ownPolicy ?? from;
  const speaks = policy !== undefined && (await modelSizes(engine, policy)).heads.includes("lm");
  const normalisation = speaks ? { policy, prompts, maxNewTokens, temperature: config.ppo?.temperature ?? 1 } : null;
  return trainReward(context, { settings, source, train, heldOut, normalisation });
}

async function ppo(run: Run): Promise<StageResult> {
  const { config, folder, encoded, tokenizer, engine } = run;
  const context = contextOf(run, "ppo");
  const settings = config.ppo!;
  const policy = startingPolicy(config, folder);
  if (policy === join(folder, "ppo", "start") && !existsSync(policy)) await makeStart(run, policy);
  const reference = settings.reference ?? policy;
  await verifyFolder(policy);
  const rewardModels = rewardFolders(settings, ownRewardModel(folder));
  const critic = settings.critic ?? ownRewardModel(folder) ?? Object.values(rewardModels)[0] ?? policy;
  const others = [reference, ...(hasCritic(settings.algorithm) ? [critic] : []), ...Object.values(rewardModels)];
  for (const other of new Set(others)) {
    if (sameTokenizer(tokenizerFolder(folder), other)) continue;
    warn(
      context,
      `the tokenizer in ${other} differs from the policy's: its model will read tokens it was not trained on`,
    );
  }
  await tellStates(run, context, [
    { folder: policy, role: "policy", trains: true },
    ...(hasCritic(settings.algorithm) ? [{ folder: critic, role: "critic", trains: true } as const] : []),
    { folder: reference, role: "reference", trains: false },
    ...Object.values(rewardModels).map((model) => ({ folder: model, role: "reward", trains: false }) as const),
  ]);
  const { context: length } = await modelSizes(engine, policy);
  const { tally, prompts, measuring } = encoded.ppo(length);
  tellTally(context, tally);
  const opened = await openGold({ config, rows: run.rows, engine, tokenizer });
  await checkReach(engine, { rewardModels, prompts, maxNewTokens: settings.maxNewTokens });
  const frozen = Object.fromEntries(
    Object.entries(rewardModels).map(([name, model]) => [`reward model of ${name}`, model]),
  );
  if (!run.resume) tellGold(context, { plan: opened.plan, rows: run.rows, monitor: measuring.monitor.length });
  const inputs: OnlineInputs = {
    settings,
    sources: { policy, reference, critic },
    frozen: { reference, ...frozen },
    prompts,
    openReward: ({ reference: model }) =>
      openReward({
        ...{ engine, tokenizer, settings, folders: rewardModels, reference: model, seed: config.seed },
        scales: readScales(folder),
      }),
    rules: await runRules(run, context),
    measuring: { ...measuring, gold: opened.gold },
  };
  return trainOnline(context, inputs).finally(() => opened.close());
}

/** Says at the start what judges the run besides its reward: without such a check nobody can see that the reward is being gamed. */
function tellGold(
  context: StageContext,
  { plan, rows, monitor }: { readonly plan: GoldPlan; readonly rows: RunRows; readonly monitor: number },
): void {
  const heldOut = rows.monitoring().length;
  const where =
    heldOut > 0
      ? `${counted(heldOut, "prompt")} held out for monitoring`
      : `measured on ${monitor > 0 ? counted(monitor, "training prompt") : "no prompts"}: there are too few to hold any out`;
  if (plan.check !== null && plan.independent) {
    context.recorder.event({ kind: "note", stage: "ppo", iteration: 0, message: `${plan.says}; ${where}` });
    context.recorder.commit();
  } else warn(context, plan.check === null ? plan.says : `${plan.says} (${where})`);
}

/** Says what the user should know of the folders that a stage reads: above all, that an adapter is trained on as it is. */
async function tellStates(
  { engine, config }: Run,
  context: StageContext,
  states: readonly { readonly folder: string; readonly role: ModelRole; readonly trains: boolean }[],
): Promise<void> {
  for (const [i, { folder, role, trains }] of states.entries()) {
    if (states.findIndex((one) => one.folder === folder) < i) continue;
    const { config: its, notes = [] } = await engine.inspectModel(stateOf(folder), { role });
    for (const note of notes) warn(context, note);
    if (!trains) continue;
    const [module] = its.adapter?.modules ?? [];
    const { lora } = config;
    if (lora === undefined || module === undefined) continue;
    if (module.rank === lora.rank && module.alpha === lora.alpha) continue;
    const { rank, alpha } = module;
    const message = `the adapter in ${folder}, of rank ${rank} and alpha ${alpha}, is trained on: the settings of lora are those of new adapters`;
    context.recorder.event({ kind: "note", stage: context.stage, iteration: 0, message });
  }
}

/** The rules, kept in the run's folder, so that a run keeps them even if their files change. */
export async function runRules(
  { config, folder, engine }: Pick<RunOptions, "config" | "folder" | "engine">,
  { recorder }: Pick<StageContext, "recorder">,
): Promise<readonly Rule[]> {
  const path = join(folder, "rules.json");
  if (existsSync(path)) {
    const remedy = "Restore it from a copy. Without one, delete it: the rules are read again from the configuration.";
    return readOwnJson(path, { remedy }) as readonly Rule[];
  }
  const { rules: own, disable } = config.control;
  const { iterations, algorithm } = config.ppo!;
  const all = loadRules({ path: own, disable, iterations }).filter((rule) => fitsScale(rule, config.control));
  const note = (message: string, inactive: readonly Rule[]) => {
    const data = { inactive: inactive.map(({ id }) => id) };
    const said = `${message}, and they are inactive: ${data.inactive.join(", ")}`;
    if (inactive.length > 0) recorder.event({ kind: "note", stage: "ppo", iteration: 0, message: said, data });
  };
  const ofAlgorithm = all.filter((rule) => inactiveWhy(rule, algorithm) === null);
  note(
    `${algorithm} has not what these rules read or move`,
    all.filter((rule) => !ofAlgorithm.includes(rule)),
  );
  const info = await engine.info();
  if (!info.capabilities.entropy)
    recorder.event({
      ...{ kind: "note", stage: "ppo", iteration: 0 },
      message: `the engine ${info.name} gives no entropies: entropy/mean is estimated, as the mean of -log p over the tokens that the policy sampled`,
    });
  const absent = absentSignals(info);
  const reads = ({ conditions }: Rule, prefix: string) =>
    conditions.some(({ signal, with: other }) => [signal, other].some((key) => key?.startsWith(prefix)));
  const moves = ({ action }: Rule) => {
    const lever = leverOf(action);
    return lever === null ? [] : Object.values(levers[lever].moves);
  };
  const rules = ofAlgorithm.filter(
    (rule) => !absent.some(({ prefix }) => reads(rule, prefix)) && moves(rule).every((key) => isMovable(info, key)),
  );
  note(
    `the engine ${info.name} does not measure what these rules read, or cannot move what they move`,
    ofAlgorithm.filter((rule) => !rules.includes(rule)),
  );
  writeDurably(path, `${JSON.stringify(rules, null, 2)}\n`);
  await sealRun(folder);
  return rules;
}

function evaluationFile(folder: string): string {
  return join(folder, "evaluation.json");
}

/** The evaluation, kept in the run's folder: resuming a finished run gives the same one. */
async function finalEvaluation(
  run: Run,
  { trained, last }: { readonly trained: boolean; readonly last: StageResult },
): Promise<Evaluation> {
  const { folder, recorder, resume } = run;
  const { steps: iteration, values } = last;
  const path = evaluationFile(folder);
  if (existsSync(path))
    return readOwnJson(path, { remedy: "Delete it: the evaluation is then made again." }) as Evaluation;
  const event = (kind: "resumed" | "evaluation" | "warning", message: string, data?: Record<string, unknown>) =>
    recorder.event({ kind, stage: "ppo", iteration, message, ...(data && { data }) });
  if (resume && !trained) event("resumed", "resumed at the evaluation");
  const evaluation = await evaluateRun(run);
  const { before, after, samples, temperature } = evaluation;
  for (const [side, figures] of Object.entries({ before: before?.figures ?? {}, after: after.figures })) {
    const named = Object.entries(figures).map(([name, { mean }]) => [`evaluation/${side}/${name}`, mean]);
    recorder.metrics("ppo", iteration, Object.fromEntries(named));
  }
  recorder.metrics("ppo", iteration, evaluatedHealth(evaluation, values));
  if (evaluation.seenInTraining)
    event("warning", "the evaluation's prompts are the training's: give evaluation.prompts to know what was learned");
  event("evaluation", `evaluated on ${samples} samples at temperature ${temperature}`, { ...evaluation });
  recorder.commit();
  writeDurably(path, toJson(evaluation));
  return evaluation;
}

export function contextOf(options: Omit<Run, "rows" | "encoded">, stage: Stage): StageContext {
  const { config, engine, recorder, tokenizer, resume, origin, ...run } = options;
  options.onStage?.(stage);
  const folder = join(run.folder, stage);
  mkdirSync(folder, { recursive: true });
  const { onProgress, interrupted, wait = false } = run;
  return { stage, config, folder, engine, recorder, tokenizer, resume, origin, onProgress, interrupted, wait };
}

function fromFolder(folder: string | undefined): ModelSource | null {
  return folder === undefined ? null : { folder };
}

function scratchSizes({ config, tokenizer }: Run): ModelConfig {
  return scratchConfig({ ...config.model, vocabularySize: tokenizer.vocabularySize });
}

/** Saves the random model from which PPO starts if there is no other, in a folder like any model. */
async function makeStart(run: Run, folder: string): Promise<void> {
  const { engine, tokenizer, config } = run;
  const sizes = { ...scratchSizes(run), textIds: textIdsOf(tokenizer) };
  const { id } = await engine.createModel({ config: sizes, heads: ["lm"], seed: config.seed });
  const write = (temporary: string) => saveModelFolder({ engine, tokenizer, model: id, folder: temporary });
  await writeFolder({ folder, state: {}, write });
  await engine.disposeModel(id);
}

async function contextOfSource({ engine }: Run, source: ModelSource, role: ModelRole): Promise<number> {
  const { context } = "sizes" in source ? source.sizes : await modelSizes(engine, source.folder, role);
  return context;
}

function tellTally(context: StageContext, tally: RowTally, rows?: string): void {
  const message = describeTally(tally, rows);
  if (message !== null) warn(context, message, { ...tally });
}

function warn({ recorder, stage }: StageContext, message: string, data: Record<string, unknown> = {}): void {
  recorder.event({ kind: "warning", stage, iteration: 0, message, data });
  recorder.commit();
}
