/** The cells of the stages that runs share. */
import { createHash } from "node:crypto";
import { type Config, configSchema } from "../config/index.ts";
import type { CellOf } from "./cells.ts";
import { hashInputs } from "./input-files.ts";
import type { TrialInput } from "./trial-work.ts";

/** The cells of the models from which a run starts; equal stages are trained once. */
export function startOf(config: Config, stages: Map<string, CellOf<"stage">>): TrialInput["start"] {
  const { model, tokenizer, demo, seed, sft, reward, lora, engine, objective } = config;
  const of = (stage: "sft" | "reward", needs: readonly string[], settings: unknown): string => {
    // Only what the stage reads: a different PPO does not train it again.
    const read = { objective, seed, threads: 1, engine, model, tokenizer, demo, lora, recompute: config.recompute };
    const own = configSchema.parse({ ...read, [stage]: settings });
    const texts = stage === "sft" ? textsOf(own, config) : undefined;
    const parts = [model, tokenizer, demo, seed, lora, engine, needs, settings, ...(texts ? [texts.ppo] : [])];
    const name = `${stage}-${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 10)}`;
    stages.set(name, {
      name,
      work: "stage",
      input: { config: own, stage, sft: needs[0] ?? null, files: hashInputs(texts ?? own), ...(texts && { texts }) },
      needs,
    });
    return name;
  };
  const policy = sft ? of("sft", [], sft) : null;
  return { policy, reward: reward ? of("reward", policy === null ? [] : [policy], reward) : null };
}

/**
 * SFT's configuration with the prompts that follow it, if a vocabulary is made from texts and the prompts lie in a file; else undefined. A vocabulary of the
 * demonstrations by themselves would lack words of the prompts, and weights drawn for it would be a different start than the run's own. Pairs are left out, so
 * that runs whose labels differ share an SFT: words that only pairs have stay unknown, and a run by itself would have them.
 */
function textsOf(own: Config, { tokenizer: { kind }, ppo }: Config): Config | undefined {
  if ((kind !== "word" && kind !== "bpe") || ppo?.prompts === undefined) return undefined;
  const { prompts, evaluationShare, stopTokens, stopStrings } = ppo;
  return configSchema.parse({ ...own, ppo: { prompts, evaluationShare, stopTokens, stopStrings } });
}
