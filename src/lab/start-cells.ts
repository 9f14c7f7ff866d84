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
    const text = JSON.stringify([model, tokenizer, demo, seed, lora, engine, needs, settings]);
    const name = `${stage}-${createHash("sha256").update(text).digest("hex").slice(0, 10)}`;
    // Only what the stage reads: a different PPO does not train it again.
    const read = { objective, seed, threads: 1, engine, model, tokenizer, demo, lora, recompute: config.recompute };
    const own = configSchema.parse({ ...read, [stage]: settings });
    stages.set(name, {
      name,
      work: "stage",
      input: { config: own, stage, sft: needs[0] ?? null, files: hashInputs(own) },
      needs,
    });
    return name;
  };
  const policy = sft ? of("sft", [], sft) : null;
  return { policy, reward: reward ? of("reward", policy === null ? [] : [policy], reward) : null };
}
