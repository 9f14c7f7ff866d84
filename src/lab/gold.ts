/** The gold score of a model: the share of its samples that pass their prompt's gold check, measured by the laboratory itself. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import type { Engine } from "../engine/engine.ts";
import { shareInterval95 } from "../rl/index.ts";
import { encodeRows } from "../trainer/encoded-rows.ts";
import { verdictsOf } from "../trainer/evaluate.ts";
import { openGold } from "../trainer/open-gold.ts";
import { rollOut } from "../trainer/rollout.ts";
import { openRows } from "../trainer/run-rows.ts";
import { openTokenizer } from "../trainer/run-tokenizer.ts";
import { loadTrunk, modelSizes } from "../trainer/stage-models.ts";
import { UsageError } from "../util/errors.ts";

/** A gold score with its 95% interval. */
export interface Gold {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

export interface MeasureGoldOptions {
  /** Names the prompts and the check: those of the evaluation. */
  readonly config: Config;
  readonly engine: Engine;
  /** Folders of models, each with the number of its samples. */
  readonly models: readonly { readonly folder: string; readonly samples: number }[];
}

/**
 * Measures models on the same prompts and random streams. Each check has its own prompts, so that their errors are independent; within one check,
 * answers to the same prompt are a cluster. Throws UsageError if the configuration has no gold check.
 */
export async function measureGold({ config, engine, models }: MeasureGoldOptions): Promise<Gold[]> {
  const rows = openRows(config);
  const scratch = mkdtempSync(join(tmpdir(), "ballast-gold-"));
  try {
    const tokenizer = await openTokenizer(config, { folder: scratch, texts: rows.texts });
    const { gold, close } = await openGold({ config, rows, engine, tokenizer });
    if (gold === null)
      throw new UsageError("the experiment has no gold check to measure its runs by", "docs/config.md, ppo.gold.");
    const golds: Gold[] = [];
    try {
      for (const { folder, samples } of models) {
        const { context } = await modelSizes(engine, folder);
        const { prompts: all, maxNewTokens } = encodeRows({ config, rows, tokenizer }).evaluation(context);
        const prompts = Array.from({ length: samples }, (_, k) => all[k % all.length]!);
        const { seed, temperature = config.ppo!.temperature } = config.evaluation;
        const model = await loadTrunk(engine, folder, { tokenizer, heads: ["lm"], seed, frozen: true });
        const request = { engine, tokenizer, model: model.id, prompts, maxNewTokens, temperature, seed };
        const rollout = await rollOut({ ...request, topK: 0, topP: 1, onProgress: () => {} });
        await engine.disposeModel(model.id);
        golds.push(
          goldOf(
            await verdictsOf(gold.check, rollout),
            prompts.map(({ tokens }) => tokens.join(" ")),
          ),
        );
      }
    } finally {
      await close();
    }
    return golds;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The checks' shares, weighted by their samples. */
export function goldOf(verdicts: readonly Readonly<Record<string, boolean>>[], prompts: readonly string[]): Gold {
  const names = [...new Set(verdicts.flatMap(Object.keys))];
  const checks = names.map((name) => {
    const own = verdicts.flatMap((one, k) => (one[name] === undefined ? [] : [[one[name], prompts[k]!] as const]));
    const clusters = own.map(([, prompt]) => prompt);
    return {
      n: own.length,
      ...shareInterval95(
        own.map(([passed]) => passed),
        clusters,
      ),
    };
  });
  const samples = checks.reduce((sum, { n }) => sum + n, 0);
  const mean = checks.reduce((sum, check) => sum + check.mean * (check.n / samples), 0);
  const variance = checks.reduce((sum, { low, high, n }) => sum + (((high - low) / 2) * (n / samples)) ** 2, 0);
  const half = Math.sqrt(variance);
  return { mean, low: mean - half, high: mean + half, samples };
}
