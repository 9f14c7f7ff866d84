/** Gathers what the doctor judges: the settings, the prompts, the model's size and, if it can be loaded, its spread. */

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Config, differences, type PpoConfig, parseConfig } from "../config/index.ts";
import {
  type DoctorFacts,
  type ExperimentFacts,
  type Finding,
  type ModelFacts,
  type PromptFacts,
  ppoFacts,
  type StopFacts,
} from "../control/doctor/index.ts";
import { type PromptRow, RowsError } from "../data/index.ts";
import { backends } from "../engine/tinker/tinker-backends.ts";
import { configOf, findRun } from "../inspect/places.ts";
import { parameterSpecs, scratchConfig } from "../models/family.ts";
import { inspectModelFolder } from "../models/hf-folder.ts";
import type { DecoderConfig } from "../models/model-config.ts";
import { mean } from "../rl/index.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { encodePrompts, promptText } from "../trainer/rollout.ts";
import { openRows, type RunRows } from "../trainer/run-rows.ts";
import { addedTo, makeTokenizer } from "../trainer/run-tokenizer.ts";
import type { MetricValues } from "../types/records.ts";
import { BallastError, messageOf, UsageError } from "../util/errors.ts";
import { readOwnJson } from "../util/json-values.ts";
import { hasWeights, isAdapterFolder } from "../util/weight-files.ts";
import { completed } from "./completed-config.ts";
import { measureSpread } from "./doctor-spread.ts";
import { withTokenBudget } from "./token-budget.ts";

export interface GatherOptions {
  readonly config: Config;
  readonly ppo: PpoConfig;
  readonly tokenBudget: number | null;
  /** Whether the policy may be loaded and sampled. */
  readonly measure: boolean;
  /** The run's own rows and tokenizer, if they are open already. */
  readonly opened?: { readonly rows: RunRows; readonly tokenizer: Tokenizer };
}

export interface Gathered {
  readonly facts: DoctorFacts;
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
}

/** Prompts from which the typical prompt length is measured. */
const promptsCounted = 512;

export async function gatherFacts({ config, ppo, tokenBudget, measure, opened }: GatherOptions): Promise<Gathered> {
  const unread: string[] = [];
  const rows = opened?.rows ?? openRows(config);
  const promptRows = orNull(() => rows.prompts(), unread);
  const evaluation = promptRows && orNull(() => evaluationOf(rows), unread);
  const policy = config.sft ? null : (ppo.policy ?? config.model.path ?? null);
  const folder = policy !== null && (hasWeights(policy) || isAdapterFolder(policy)) ? policy : null;
  const tokenizer = opened?.tokenizer ?? orNull(() => tokenizerOf(config, { folder, rows }), unread);
  const spread =
    folder && tokenizer && promptRows && measure
      ? await measureSpread({ config, ppo, folder, tokenizer, rows: promptRows }).catch(nullForRows)
      : null;
  const whole = { context: Number.MAX_SAFE_INTEGER, maxNewTokens: 1, longPrompts: "truncate" } as const;
  const counted =
    promptRows &&
    tokenizer &&
    orNull(() => encodePrompts(promptRows.slice(0, promptsCounted), { tokenizer, ...whole }), unread);
  const promptTokens_N = counted?.map(({ tokens }) => tokens.length) ?? null;
  const sized = promptTokens_N === null ? ppo : withTokenBudget({ ...config, ppo }, promptTokens_N).ppo!;
  const model: ModelFacts = {
    lora: config.lora !== undefined,
    parameters: spread?.parameters ?? (folder ? folderParameters(folder) : startParameters(config, tokenizer)),
    start: config.sft ? "stage" : policy === null ? "random" : "folder",
    spread: spread?.spread ?? null,
    stops: tokenizer && stopFacts(tokenizer),
  };
  const facts: DoctorFacts = {
    objective: config.objective,
    ppo: ppoFacts(sized),
    rewards: ppo.rewards.filter(({ weight }) => weight !== 0).map(({ name, kind }) => name ?? kind),
    reward: spread?.reward ?? null,
    rewardModels: ppo.rewards.flatMap(rewardModelFacts),
    grain: config.doctor.grain ?? null,
    coldCritic: isCold(config),
    model,
    sftLearningRate: config.sft?.learningRate ?? (policy === null ? null : sftRateOf(policy)),
    prompts: promptRows?.map(promptFacts) ?? null,
    evaluationPrompts: evaluation === "training" ? evaluation : (evaluation?.map(promptFacts) ?? null),
    promptTokens: promptTokens_N && mean(promptTokens_N),
    tokenBudget: tokenBudget ?? ppo.tokensPerStep ?? null,
    experiment: experimentFacts(config),
    explain: { ...explainedByEngine(config), ...config.doctor.explain },
  };
  return { facts, unread };
}

/** Findings for what could not be read. */
export function unreadFindings(messages: readonly string[]): Finding[] {
  return messages.map((message) => ({
    id: "files/missing",
    severity: "error",
    what: message,
    why: "the run could not start, and its contents could not be checked",
    remedy: "put it there, or name a different one",
    source: "docs/config.md",
  }));
}

/** The prompts that measure the policy, those of the monitoring set included. */
function evaluationOf(rows: RunRows): readonly PromptRow[] | "training" {
  const { rows: asked, seen } = rows.evaluation();
  return seen ? "training" : [...asked, ...rows.monitoring()];
}

function promptFacts(row: PromptRow): PromptFacts {
  return { text: promptText(row), kind: row.kind ?? null };
}

/** The policy's own tokenizer, or the one that this configuration would make; null if neither exists yet. */
function tokenizerOf(config: Config, { folder, rows }: { folder: string | null; rows: RunRows }): Tokenizer | null {
  const { kind, path } = config.tokenizer;
  const own = folder ?? path ?? config.model.path;
  if (own !== undefined) return existsSync(own) ? loadTokenizer(own, addedTo(config)) : null;
  return kind === "file" ? null : makeTokenizer(config, rows.texts);
}

function stopFacts({ stopIds, stopStrings, tokenText, turnEndId }: Tokenizer): StopFacts {
  const named = (id: number) => `${JSON.stringify(tokenText(id)).slice(1, -1)} (${id})`;
  return {
    tokens: stopIds.map(named),
    strings: stopStrings,
    turnEnd: turnEndId === null ? null : named(turnEndId),
  };
}

/** The size of the model that the run's first stage starts from; null if it is not known yet. */
function startParameters({ model, sft, ppo }: Config, tokenizer: Tokenizer | null): number | null {
  if (!sft && ppo?.policy !== undefined) return null;
  if (model.path !== undefined) return hasWeights(model.path) ? sizeOf(inspectModelFolder(model.path).config) : null;
  return tokenizer && sizeOf(scratchConfig({ ...model, vocabularySize: tokenizer.vocabularySize }));
}

/** Whether a critic beside a server's policy begins without a warm-up, and without a lambda that waits for it. */
function isCold({ engine, ppo }: Config): boolean {
  if (!ppo || engine.kind !== "tinker" || !hasCritic(ppo.algorithm)) return false;
  return ppo.criticWarmup === 0 && ppo.lambdaFrom === null;
}

/** What no setting can mend, because the engine lacks it. */
function explainedByEngine({ engine, ppo }: Config): Record<string, string> {
  const { kind, backend } = engine;
  if (kind !== "tinker" || backend === undefined || ppo?.maxGradNorm !== null) return {};
  if (backends[backend].capabilities.clipping !== "none") return {};
  return { "gradient/unclipped": `servers of the kind ${backend} cannot clip a gradient` };
}

/** Parameters of the model in a folder; null for an adapter, and for an architecture that Ballast itself does not read. */
function folderParameters(folder: string): number | null {
  if (isAdapterFolder(folder)) return null;
  try {
    return sizeOf(inspectModelFolder(folder).config);
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    return null;
  }
}

/** How well a learned reward ranked its held-out pairs, if a reward stage made its folder. */
function rewardModelFacts({ kind, name, ...component }: PpoConfig["rewards"][number]): DoctorFacts["rewardModels"] {
  const path = "path" in component ? component.path : undefined;
  if ((kind !== "model" && kind !== "comparison") || path === undefined) return [];
  const file = join(path, "state.json");
  if (!existsSync(file)) return [];
  const { values } = readOwnJson(file, { remedy: "Put back the folder as the reward stage made it." }) as {
    readonly values?: MetricValues;
  };
  const accuracy = values?.["reward_model/heldout_accuracy"];
  return accuracy === undefined || Number.isNaN(accuracy) ? [] : [{ name: name ?? kind, accuracy }];
}

function sizeOf(config: DecoderConfig): number {
  const specs = parameterSpecs(config, ["lm"]);
  return specs.reduce((total, { shape }) => total + shape.reduce((product, size) => product * size, 1), 0);
}

/** The learning rate of the run that made a policy in `<run>/sft/final`; null if the folder is not a run's. */
function sftRateOf(policy: string): number | null {
  try {
    return configOf({ folder: resolve(policy, "..", "..") }).sft?.learningRate ?? null;
  } catch {
    return null;
  }
}

function experimentFacts(config: Config): ExperimentFacts | null {
  const { experiment } = config;
  if (experiment === undefined) return null;
  const { stage, previous: name } = experiment;
  const previous = name === undefined ? null : { name, changedKeys: changedSince(name, config) };
  return { stage: stage as ExperimentFacts["stage"], previous };
}

function changedSince(name: string, config: Config): string[] {
  let before: Config;
  if (/\.ya?ml$/.test(name)) {
    if (!existsSync(name)) throw new UsageError(`experiment.previous: there is no configuration ${name}`);
    before = parseConfig(readFileSync(name, "utf8"), name).config;
  } else {
    before = configOf(findRun(name, config.workspace));
  }
  // A record has the sizes of the model's folder, and the sequences that a budget of tokens gave.
  const derived = config.ppo?.tokensPerStep === undefined ? [] : ["ppo.sequences"];
  return differences(completed(before), completed(config))
    .map(({ key }) => key)
    .filter((key) => !derived.includes(key));
}

function orNull<T>(look: () => T, unread: string[]): T | null {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof RowsError)) unread.push(messageOf(error));
    return null;
  }
}

/** Rows that cannot be used have their own finding. */
function nullForRows(error: unknown): null {
  if (error instanceof RowsError) return null;
  throw error;
}
