/** Trains one of the stages that an experiment's runs share, SFT or the reward model, once. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Config, recordedConfig } from "../config/index.ts";
import { completed } from "../run/completed-config.ts";
import { openRun } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import { openRows } from "../trainer/run-rows.ts";
import { openTokenizer } from "../trainer/run-tokenizer.ts";
import { writeDurably } from "../util/durable.ts";
import { clearRun } from "./clear-run.ts";
import { listenerOf } from "./listener.ts";
import type { Tools } from "./work-tools.ts";

export interface StageInput {
  /** A configuration with SFT and reward model; only the stage is trained. */
  readonly config: Config;
  readonly stage: "sft" | "reward";
  /** The cell that trained SFT, from which the reward model starts; null trains SFT, or a reward model of its own. */
  readonly sft: string | null;
  /** Hash of the files that it reads (`hashInputs`). */
  readonly files: string;
  /** A configuration of whose rows the tokenizer is made; without it, it is made or read as the stage's own says. */
  readonly texts?: Config;
}

/** A stage's model. */
export interface StageModel {
  readonly model: string;
}

/** Returns the folder of the stage's model. Throws Interrupted. */
export async function trainStage({ config, stage, sft, texts }: StageInput, tools: Tools): Promise<StageModel> {
  const { folder: workspace, name, results } = tools;
  const folder = join(workspace, name);
  const model = join(folder, stage, "final");
  if (existsSync(join(folder, "config.json"))) clearRun({ id: name, folder, workspace });
  const policy = sft === null ? null : (results[sft] as StageModel).model;
  const own: Config = {
    ...config,
    workspace,
    sft: stage === "sft" ? config.sft : undefined,
    reward: stage === "reward" ? { ...config.reward!, ...(policy !== null && { from: policy }) } : undefined,
    ppo: undefined,
    faults: [],
    ...(policy !== null && { tokenizer: { ...config.tokenizer, kind: "file" as const, path: policy } }),
  };
  const complete = completed(own);
  mkdirSync(folder, { recursive: true });
  const recorded = recordedConfig(complete, folder);
  writeDurably(join(folder, "config.json"), recorded);
  if (texts !== undefined) await openTokenizer(texts, { folder, texts: openRows(texts).texts });
  const place = { id: name, folder, workspace };
  await openRun({ config: complete, recorded, place, resume: false, ...listenerOf(tools) }).train(runPipeline);
  return { model };
}

/** The configuration of only PPO, starting from models that are trained already; a learned reward without a path is the reward model's. */
export function startingFrom(
  config: Config,
  { policy, rewardModel }: { readonly policy: string | null; readonly rewardModel: string | null },
): Config {
  const ppo = config.ppo!;
  const rewards = ppo.rewards.map((one) =>
    (one.kind === "model" || one.kind === "comparison") && one.path === undefined && rewardModel !== null
      ? { ...one, path: rewardModel }
      : one,
  );
  const critic = ppo.critic ?? (ppo.criticKind === "shared" ? undefined : (rewardModel ?? undefined));
  return {
    ...config,
    sft: undefined,
    reward: undefined,
    ...(policy !== null && { tokenizer: { ...config.tokenizer, kind: "file" as const, path: policy } }),
    ppo: { ...ppo, ...(policy !== null && { policy }), rewards, ...(critic !== undefined && { critic }) },
  };
}
