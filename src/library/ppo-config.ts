/** TRL's names for PPO's settings, and the corresponding settings of Ballast: docs/library.md has the table. */
import { basename } from "node:path";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { ConfigInput } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import { multiplesNear, nearest } from "../util/nearest.ts";

/** Names, meanings and defaults of TRL 0.11's `PPOConfig`; only `target_kl` differs. */
export interface PPOConfigOptions {
  /** A Hugging Face folder from which the policy, the reference and the tokenizer are read. */
  readonly model_name: string;
  /** The run's name: a script that is run again continues its unfinished run. By default the script's own name. */
  readonly exp_name?: string;
  readonly seed?: number;
  /** Total number of responses to train on, for schedules and the progress; the loop itself decides when to end. */
  readonly steps?: number;
  readonly learning_rate?: number;
  /** Responses per `step`. */
  readonly batch_size?: number;
  readonly mini_batch_size?: number;
  readonly gradient_accumulation_steps?: number;
  readonly ppo_epochs?: number;
  /** Whether Ziegler's controller moves the KL coefficient towards `target`. */
  readonly adap_kl_ctrl?: boolean;
  readonly init_kl_coef?: number;
  /** The KL to the reference that the controller steers towards, in nats per sequence. */
  readonly target?: number;
  /** Sequences over which the controller moves the coefficient. */
  readonly horizon?: number;
  /** Early stopping: an update ends if a minibatch's KL to the sampling policy exceeds 1.5 times this. It is not the controller's target. */
  readonly target_kl?: number;
  readonly early_stopping?: boolean;
  readonly gamma?: number;
  readonly lam?: number;
  readonly cliprange?: number;
  readonly cliprange_value?: number;
  readonly vf_coef?: number;
  readonly max_grad_norm?: number | null;
  readonly score_clip?: number | null;
  readonly whiten_rewards?: boolean;
}

/** The models of a loop. */
export interface LoopModels {
  readonly policy: string;
  /** Longest sequence of the policy, in tokens. */
  readonly context: number;
  readonly reference: string;
  readonly tokenizer: string;
}

/** Settings in Ballast's own names, which replace those above. */
export type BallastSettings = Pick<ConfigInput, "workspace" | "objective" | "threads" | "engine" | "ppo" | "control">;

/** TRL's defaults of a loop, which hold for every algorithm. */
const loopDefaults = {
  seed: 0,
  steps: 20_000,
  learning_rate: 1.41e-5,
  batch_size: 128,
  gradient_accumulation_steps: 1,
} satisfies Partial<PPOConfigOptions>;

/** TRL's defaults of PPO; a different algorithm has its own (docs/config.md). */
const ppoDefaults = {
  ppo_epochs: 4,
  adap_kl_ctrl: true,
  init_kl_coef: 0.2,
  target: 6,
  horizon: 10_000,
  gamma: 1,
  lam: 0.95,
  cliprange: 0.2,
  cliprange_value: 0.2,
  vf_coef: 0.1,
  max_grad_norm: null,
  score_clip: null,
  whiten_rewards: false,
} satisfies Partial<PPOConfigOptions>;

const names: readonly string[] = [
  "model_name",
  "exp_name",
  "mini_batch_size",
  "target_kl",
  "early_stopping",
  ...Object.keys(loopDefaults),
  ...Object.keys(ppoDefaults),
];

/** TRL's names that have no meaning here, with what to do instead. */
const otherwise: Readonly<Record<string, string>> = {
  ratio_threshold: "The stability controller watches the ratio: docs/control.md.",
  use_score_scaling: "Scale the scores in your loop before `step`.",
  use_score_norm: "Normalise the scores in your loop before `step`.",
  kl_penalty: "The KL in the reward is TRL's `kl`; the KL in the loss is `ppo.kl.in` of the second argument.",
  log_with: "Every run is recorded in its workspace's database: ballast serve.",
  tracker_project_name: "Every run is recorded in its workspace's database: ballast serve.",
  reward_model: "Score the responses in your loop.",
  query_dataset: "Bring the queries in your loop.",
  world_size: "Processes of the PyTorch engine are `engine.processes` of a configuration.",
  optimize_cuda_cache: "Ballast has no such cache.",
  optimize_device_cache: "Ballast has no such cache.",
};

/**
 * PPO's settings under TRL's names.
 * @example
 * const config = new PPOConfig({ model_name: "my-sft-model", learning_rate: 1e-6, batch_size: 64, mini_batch_size: 8 });
 */
export class PPOConfig {
  readonly model_name: string;
  readonly exp_name: string;
  readonly batch_size: number;
  readonly options: PPOConfigOptions;
  readonly settings: BallastSettings;

  /** @throws UsageError for an unknown name, with the nearest one, and for sizes that do not divide. */
  constructor(options: PPOConfigOptions, settings: BallastSettings = {}) {
    for (const name of Object.keys(options)) if (!names.includes(name)) throw unknownName(name);
    if (typeof options.model_name !== "string" || options.model_name === "")
      throw new UsageError("PPOConfig needs model_name, a Hugging Face folder", "docs/library.md shows a whole loop.");
    this.options = options;
    this.settings = settings;
    this.model_name = options.model_name;
    this.exp_name = options.exp_name ?? scriptName();
    this.batch_size = options.batch_size ?? loopDefaults.batch_size;
  }

  /** The run's configuration in the form of a YAML file, for models in these folders. */
  toBallast({ policy, context, reference, tokenizer }: LoopModels): ConfigInput {
    const { options, settings } = this;
    const algorithm = settings.ppo?.algorithm ?? "ppo";
    const given: typeof loopDefaults & PPOConfigOptions = {
      ...loopDefaults,
      ...(algorithm === "ppo" && ppoDefaults),
      ...options,
    };
    const { batch_size: sequences, mini_batch_size = sequences, target_kl, early_stopping } = given;
    const perStep = mini_batch_size * given.gradient_accumulation_steps;
    if (!(sequences % perStep === 0))
      throw new UsageError(
        `batch_size ${sequences} is not divisible by ${perStep}, mini_batch_size times gradient_accumulation_steps`,
        `Try batch_size ${multiplesNear(sequences, perStep).join(" or ")}.`,
      );
    if (early_stopping === true && target_kl === undefined)
      throw new UsageError("early_stopping needs target_kl", "Give the KL, in nats a token: target_kl: 0.1.");
    if (early_stopping === false && target_kl !== undefined)
      throw new UsageError(
        "target_kl is the limit of early stopping, which early_stopping: false turns off",
        "Remove one of the two. The target of the KL controller is called target.",
      );
    const { ppo = {}, control = {}, ...rest } = settings;
    return {
      name: this.exp_name,
      seed: given.seed,
      // Every run has one; only the program knows what it scores.
      objective: `raise the scores that the program ${this.exp_name} gives`,
      model: { path: policy },
      tokenizer: { kind: "file", path: tokenizer },
      ...rest,
      // Robustness would ask the reward about responses that the program has never seen.
      control: { ...control, robustness: { every: 0, ...control.robustness } },
      ppo: {
        policy,
        reference,
        // TRL's value head is on the policy's trunk.
        ...(hasCritic(algorithm) && { criticKind: "shared" }),
        rewards: [{ kind: "caller" }],
        iterations: Math.ceil(given.steps / sequences),
        sequences,
        minibatches: sequences / perStep,
        // Longest response of the probes; the loop sets the length of its own.
        maxNewTokens: Math.floor(context / 2),
        epochs: given.ppo_epochs,
        learningRate: given.learning_rate,
        clipLow: given.cliprange,
        clipHigh: given.cliprange,
        valueClip: given.cliprange_value,
        valueCoef: given.vf_coef,
        gamma: given.gamma,
        lambda: given.lam,
        maxGradNorm: given.max_grad_norm,
        scoreClip: given.score_clip,
        whitenRewards: given.whiten_rewards,
        stopEpochsAtKl: target_kl === undefined ? null : 1.5 * target_kl,
        // TRL's loss has no entropy bonus, and its learning rate no warm-up.
        entropyCoef: 0,
        warmup: 0,
        // A killed loop then loses only the batch in progress.
        checkpointEvery: 1,
        ...ppo,
        kl: {
          coef: given.init_kl_coef,
          ...(given.adap_kl_ctrl && {
            controller: "ziegler",
            target: given.target,
            targetUnit: "sequence",
            horizon: given.horizon,
          }),
          ...ppo.kl,
        },
      },
    };
  }
}

function unknownName(name: string): UsageError {
  const instead = otherwise[name];
  if (instead !== undefined) return new UsageError(`PPOConfig: ${name} has no meaning here`, instead);
  const near = nearest(name, names);
  return new UsageError(
    `PPOConfig: unknown name "${name}"${near === undefined ? "" : `; did you mean ${near}?`}`,
    near === undefined ? `It may have ${names.join(", ")}. Ballast's own settings are the second argument.` : undefined,
  );
}

function scriptName(): string {
  return basename(process.argv[1] ?? "loop").replace(/\.[^.]+$/, "") || "loop";
}
