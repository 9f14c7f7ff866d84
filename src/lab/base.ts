/** The models from which every run of the laboratory starts: SFT and reward model, trained once and kept. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Config, recordedConfig } from "../config/index.ts";
import { openRun } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import { writeDurably } from "../util/durable.ts";
import { removeTree } from "../util/platform.ts";
import { type LabContext, listenerOf } from "./cell.ts";

/** Trains them if they do not exist yet. Returns the configuration of only PPO, starting from these models. Throws Interrupted. */
export async function openBase(context: LabContext): Promise<Config> {
  const { config, folder: lab } = context;
  const stages: Config = { ...config, ppo: undefined, faults: [] };
  const { sft, reward, model, tokenizer, demo, seed, threads } = stages;
  const hash = createHash("sha256").update(JSON.stringify({ sft, reward, model, tokenizer, demo, seed, threads }));
  const run = `base-${hash.digest("hex").slice(0, 12)}`;
  const folder = join(lab, run);
  const done = [join(folder, "sft", "final"), join(folder, "reward", "final")] as const;
  if (!done.every(existsSync)) {
    await removeTree(folder);
    mkdirSync(folder, { recursive: true });
    const recorded = recordedConfig(stages, folder);
    writeDurably(join(folder, "config.json"), recorded);
    const place = { id: run, folder, workspace: lab };
    await openRun({ config: stages, recorded, place, resume: false, ...listenerOf(context) }).train(runPipeline);
  }
  const [policy, critic] = done;
  const rewards = config.ppo!.rewards.map((one) =>
    one.kind === "model" || one.kind === "comparison" ? { ...one, path: critic } : one,
  );
  return {
    ...config,
    sft: undefined,
    reward: undefined,
    tokenizer: { ...tokenizer, kind: "file", path: policy },
    ppo: { ...config.ppo!, policy, critic, rewards },
  };
}
