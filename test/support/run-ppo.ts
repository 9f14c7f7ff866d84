/** A short PPO run on the bigram engine, whose reward is a count of one word. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Algorithm } from "../../src/algorithms/algorithm.ts";
import { trainOnline } from "../../src/algorithms/online-stage.ts";
import type { Rule } from "../../src/control/rules/rule.ts";
import type { ModelReference } from "../../src/engine/engine.ts";
import type { Scored } from "../../src/reward/index.ts";
import type { PpoConfig } from "../../src/settings/config-schema.ts";
import type { Measuring } from "../../src/trainer/measuring.ts";
import { stateOf } from "../../src/trainer/model-folder.ts";
import type { OnlineInputs } from "../../src/trainer/online-run.ts";
import type { StageContext } from "../../src/trainer/stage-context.ts";
import type { BigramEngine } from "./bigram-engine.ts";
import { newWorld, openContext, prompts, rewardOf, startFolder, tokenizer, type World } from "./stage.ts";

export const word = (text: string) => tokenizer.encode(text)[0]!;

/** The number of "a"s in a response. */
export const wantsA = ({ tokens }: Scored) => tokens.filter((token) => token === word("a")).length;

const base = {
  iterations: 3,
  sequences: 16,
  minibatches: 2,
  epochs: 2,
  maxNewTokens: 6,
  learningRate: 0.05,
  entropyCoef: 0,
  checkpointEvery: 0,
  storedSamples: 4,
  rewardSamples: 0,
};

/** Tests count the calls of the engine and the reward. */
const unmeasured = { probes: { every: 0 }, noise: { every: 0 }, monitor: { every: 0 }, robustness: { every: 0 } };

export interface PpoRun {
  readonly world?: World;
  readonly ppo?: object;
  readonly score?: (row: Scored) => number;
  readonly hash?: string;
  readonly context?: Partial<StageContext>;
  readonly prepare?: (engine: BigramEngine) => void;
  readonly texts?: string[];
  /** Prompts in place of `texts`. */
  readonly prompts?: OnlineInputs["prompts"];
  readonly seed?: number;
  /** The seed of the starting model. */
  readonly start?: number;
  /** The state to start from, in place of a folder with a new model. */
  readonly state?: ModelReference;
  readonly measuring?: Partial<Measuring>;
  /** The controller's rules; none by default: these small runs take steps that would stop them. */
  readonly rules?: readonly Rule[];
  readonly control?: object;
  readonly faults?: readonly string[];
  /** The one that the settings name by default. */
  readonly algorithm?: Algorithm;
}

export async function runPpo(options: PpoRun = {}) {
  const { world = newWorld(), ppo, score = wantsA, hash, context: more, prepare, texts } = options;
  const context = openContext(
    world,
    "ppo",
    {
      ...(options.seed !== undefined && { seed: options.seed }),
      control: { ...unmeasured, ...options.control },
      ...(options.faults && { faults: options.faults }),
      ppo: { ...base, ...ppo },
    },
    more,
  );
  const settings = context.config.ppo as PpoConfig;
  const start = options.state ?? (await startFolder(world, options.start));
  prepare?.(context.engine);
  const inputs: OnlineInputs = {
    settings,
    sources: { policy: start, reference: start, critic: start },
    frozen: { reference: start },
    prompts: options.prompts ?? prompts(...(texts ?? ["b", "c d", "e f g", "d"])),
    openReward: async () => rewardOf(score, hash),
    rules: options.rules ?? [],
    measuring: { gold: null, monitor: [], pairs: [], ratings: [], ...options.measuring },
  };
  const result = await trainOnline(context, inputs, options.algorithm);
  const state = stateOf(result.folder);
  const weights =
    state === result.folder
      ? readFileSync(join(state, "model.safetensors"), "utf8")
      : JSON.stringify(context.engine.file(state, "model.safetensors"));
  return { world, context, result, weights, curve: world.store.curve("ppo") };
}
