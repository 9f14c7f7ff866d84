/** The cells of the stages that runs share. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, configSchema } from "../config/index.ts";
import { openRows } from "../trainer/run-rows.ts";
import { makeTokenizer } from "../trainer/run-tokenizer.ts";
import type { CellOf } from "./cells.ts";
import { hashInputs } from "./input-files.ts";
import type { TrialInput } from "./trial-work.ts";

/** The cells of the models from which a run starts; equal stages are trained once. */
export function startOf(config: Config, stages: Map<string, CellOf<"stage">>): TrialInput["start"] {
  const { model, tokenizer, demo, seed, sft, reward, lora, engine, objective } = config;
  const files = tokenizerOf(config);
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
      ...(files ? [files] : []),
    ]);
    const name = `${stage}-${createHash("sha256").update(text).digest("hex").slice(0, 10)}`;
    // Only what the stage reads: a different PPO does not train it again.
    const read = { objective, seed, threads: 1, engine, model, tokenizer, demo, lora, recompute: config.recompute };
    const own = configSchema.parse({ ...read, [stage]: settings });
    stages.set(name, {
      name,
      work: "stage",
      input: {
        ...{ config: own, stage, sft: needs[0] ?? null, files: hashInputs(own) },
        ...(files !== undefined && needs.length === 0 && { tokenizer: files }),
      },
      needs,
    });
    return name;
  };
  const policy = sft ? of("sft", [], sft) : null;
  return { policy, reward: reward ? of("reward", policy === null ? [] : [policy], reward) : null };
}

/** By what they are made of: rows do not change during a call. */
const made = new Map<string, Readonly<Record<string, string>>>();

/**
 * The files of the tokenizer of the demonstrations and the prompts; undefined if a run reads one, or if the built-in task has all texts. A vocabulary of the
 * demonstrations by themselves would lack words of the prompts, and weights drawn for it would be a different start than the run's own. Pairs are left out, so
 * that runs whose labels differ share an SFT: words that only pairs have stay unknown, and a run by itself would have them.
 */
function tokenizerOf(config: Config): Readonly<Record<string, string>> | undefined {
  const { tokenizer, demo, seed, sft, ppo } = config;
  if (tokenizer.kind !== "word" && tokenizer.kind !== "bpe") return undefined;
  if (sft?.data === undefined && ppo?.prompts === undefined) return undefined;
  const key = JSON.stringify([tokenizer, demo, seed, sft, ppo?.prompts, ppo?.stopTokens, ppo?.stopStrings]);
  const found = made.get(key);
  if (found !== undefined) return found;
  const read = { ...config, reward: undefined };
  const folder = mkdtempSync(join(tmpdir(), "ballast-tokenizer-"));
  try {
    makeTokenizer(read, openRows(read).texts).save(folder);
    const files = Object.fromEntries(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]),
    );
    made.set(key, files);
    return files;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
