/** The cells of the stages that runs share. */
import { createHash } from "node:crypto";
import { type Config, configSchema } from "../config/index.ts";
import type { CellOf } from "./cells.ts";
import { hashInputs } from "./input-files.ts";
import type { TrialInput } from "./trial-work.ts";

/** The cells of the models from which a run starts; equal stages are trained once. */
export function startOf(config: Config, stages: Map<string, CellOf<"stage">>): TrialInput["start"] {
  const { model, tokenizer, demo, seed, sft, reward, lora, engine, objective } = config;
  const texts = textsOf(config);
  const of = (stage: "sft" | "reward", needs: readonly string[], settings: unknown): string => {
    const text = JSON.stringify([
      model,
      tokenizer,
      demo,
      seed,
      lora,
      engine,
      needs,
      settings,
      ...(texts ? [texts] : []),
    ]);
    const name = `${stage}-${createHash("sha256").update(text).digest("hex").slice(0, 10)}`;
    // Only what the stage reads: a different PPO does not train it again.
    const read = { objective, seed, threads: 1, engine, model, tokenizer, demo, lora, recompute: config.recompute };
    const own = configSchema.parse({ ...read, [stage]: settings });
    stages.set(name, {
      name,
      work: "stage",
      input: {
        ...{ config: own, stage, sft: needs[0] ?? null, files: hashInputs(texts ?? own) },
        ...(texts !== undefined && needs.length === 0 && { texts }),
      },
      needs,
    });
    return name;
  };
  const policy = sft ? of("sft", [], sft) : null;
  return { policy, reward: reward ? of("reward", policy === null ? [] : [policy], reward) : null };
}

/**
 * The rows of all stages, if a vocabulary is made from them; undefined if it is not, or if the built-in task has all texts. A vocabulary of one stage's
 * rows would lack words of the next one's, and weights drawn for it would be a different start than the run's own.
 */
function textsOf({ tokenizer, demo, seed, sft, reward, ppo }: Config): Config | undefined {
  if (tokenizer.kind !== "word" && tokenizer.kind !== "bpe") return undefined;
  const read = (stage: Config["sft"] | Config["reward"]) => {
    if (stage === undefined) return undefined;
    const { data, evaluation, evaluationShare, emptyAnswers } = stage;
    return { data, evaluation, evaluationShare, emptyAnswers };
  };
  if (sft?.data === undefined && reward?.data === undefined && ppo?.prompts === undefined) return undefined;
  const prompts = ppo && { prompts: ppo.prompts };
  return configSchema.parse({ demo, seed, sft: read(sft), reward: read(reward), ppo: prompts });
}
