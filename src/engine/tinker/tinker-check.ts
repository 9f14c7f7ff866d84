/** A check of a server of Tinker's protocol: whether what it trains and samples is what every engine must. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModelConfig } from "../../models/hf-folder.ts";
import { type CheckResult, checkEngine } from "../conformance/engine-conformance.ts";
import type { Engine } from "../engine.ts";
import { createTinkerEngine, type TinkerEngineOptions } from "./index.ts";

/** Between two ways of computing the same in float32; in bfloat16 log-probabilities differ by 0.01 and more. */
const usualTolerance = 1e-4;

export interface TinkerCheckOptions extends TinkerEngineOptions {
  readonly base: string;
  readonly tolerance?: number | undefined;
  /** Rank of the adapters that are trained and unloaded again, at most three at a time. */
  readonly rank?: number | undefined;
  /** Receives the engine, so that a signal may close it. */
  readonly onOpened?: (engine: Engine) => void;
}

/** Takes a minute or two where a server compiles what it sees for the first time. Throws what opening the engine throws. */
export async function checkTinker({
  tolerance = usualTolerance,
  rank = 4,
  ...options
}: TinkerCheckOptions): Promise<readonly CheckResult[]> {
  const { base } = options;
  const engine = await createTinkerEngine(options);
  options.onOpened?.(engine);
  const folders: string[] = [];
  const folder = () => {
    folders.push(mkdtempSync(join(tmpdir(), "ballast-check-")));
    return folders.at(-1) as string;
  };
  try {
    return await checkEngine(engine, {
      ...{ tolerance, folder, config: readModelConfig(base) },
      policy: (_, seed) => engine.loadModel(base, { adapter: { rank, alpha: 32 }, seed }),
    });
  } finally {
    await engine.close();
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  }
}
