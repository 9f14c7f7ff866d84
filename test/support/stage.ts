/** One stage on the bigram engine: a temporary folder, a tokenizer of a few words, a recorder in memory. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { ModelConfig } from "../../src/engine/engine.ts";
import type { RewardPipeline, Scored } from "../../src/reward/index.ts";
import { type Config, configSchema } from "../../src/settings/config-schema.ts";
import { buildTokenizer, type Tokenizer } from "../../src/text/index.ts";
import type { Prompt } from "../../src/trainer/rollout.ts";
import type { Progress } from "../../src/trainer/run-types.ts";
import type { StageContext } from "../../src/trainer/stage-context.ts";
import type { Stage } from "../../src/types/records.ts";
import { BigramEngine } from "./bigram-engine.ts";
import { MemoryStore } from "./memory-recorder.ts";

/** A folder that is removed with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ballast-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const tokenizer: Tokenizer = buildTokenizer({ kind: "word", vocabularySize: 32 }, ["a b c d e f g"]);

export const sizes: ModelConfig = {
  family: "gpt2",
  vocabularySize: tokenizer.vocabularySize,
  context: 32,
  width: 1,
  layers: 1,
  heads: 1,
  tieEmbeddings: false,
};

export function prompts(...texts: string[]): Prompt[] {
  return texts.map((content) => {
    const prompt = [{ role: "user" as const, content }];
    return { row: { prompt, reference: null }, tokens: tokenizer.encodePrompt(prompt) };
  });
}

/** What outlives a process: the disk and the database. */
export interface World {
  readonly folder: string;
  readonly store: MemoryStore;
}

export function newWorld(): World {
  return { folder: temporaryFolder(), store: new MemoryStore() };
}

/** A new process: its own engine, and the next attempt. */
export function openContext(
  world: World,
  stage: Stage,
  sections: unknown,
  more: Partial<StageContext> = {},
): StageContext & { readonly engine: BigramEngine; readonly progress: Progress[] } {
  const config: Config = configSchema.parse({ seed: 7, ...(sections as object) });
  const engine = new BigramEngine();
  const progress: Progress[] = [];
  return {
    stage,
    config,
    folder: join(world.folder, stage),
    recorder: world.store.recorder(),
    tokenizer,
    resume: false,
    onProgress: (seen) => progress.push(seen),
    interrupted: () => false,
    wait: false,
    ...more,
    engine: (more.engine as BigramEngine) ?? engine,
    progress,
  };
}

/** A model folder to start from. */
export async function startFolder(world: World, seed = 1): Promise<string> {
  const engine = new BigramEngine();
  const folder = join(world.folder, `start-${seed}`);
  mkdirSync(folder, { recursive: true });
  const { id } = await engine.createModel({ config: sizes, heads: ["lm"], seed });
  await engine.saveModel(id, folder);
  return folder;
}

/** A reward that is one function of a response. */
export function rewardOf(score: (row: Scored) => number, hash = ""): RewardPipeline {
  return {
    hash,
    ready: async () => {},
    close: async () => {},
    score: async (rows) => {
      const list = rows.map(score);
      const equal = list.length > 1 && list.every((x) => x === list[0]);
      const bad = list.filter((x) => !Number.isFinite(x)).length;
      const warnings = bad > 0 ? [`${bad} scores are not finite`] : equal ? ["all scores are equal"] : [];
      return { score: list, components: { only: list }, safety: {}, outsideTraining: {}, warnings };
    },
  };
}
