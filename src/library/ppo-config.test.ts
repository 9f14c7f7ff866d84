/** TRL's names become Ballast's settings; what has no meaning is refused. */
import { expect, it } from "vitest";
import { PPOConfig, type PPOConfigOptions } from "./ppo-config.ts";

const models = { policy: "m", context: 50, reference: "m", tokenizer: "m" };
const made = (options: Partial<PPOConfigOptions>, settings = {}) =>
  new PPOConfig({ model_name: "m", exp_name: "e", ...options }, settings).toBallast(models);

it("means what TRL's names mean", () => {
  const { ppo, seed, name } = made({
    learning_rate: 1e-6,
    batch_size: 64,
    mini_batch_size: 8,
    ppo_epochs: 4,
    init_kl_coef: 0.1,
    target_kl: 0.1,
    cliprange: 0.3,
    seed: 42,
  });
  expect({ seed, name }).toEqual({ seed: 42, name: "e" });
  expect(ppo).toMatchObject({
    ...{ learningRate: 1e-6, sequences: 64, minibatches: 8, epochs: 4, clipLow: 0.3, clipHigh: 0.3 },
    // Early stopping: TRL ends the update at 1.5 times target_kl.
    stopEpochsAtKl: 0.1 * 1.5,
    // The controller's target is called target, and is TRL's default here.
    kl: { coef: 0.1, controller: "ziegler", target: 6, targetUnit: "sequence", horizon: 10_000 },
    ...{ criticKind: "shared", valueCoef: 0.1, lambda: 0.95, gamma: 1, entropyCoef: 0 },
    iterations: 313,
    maxNewTokens: 25,
  });
});

it("leaves what an algorithm without a critic does not use, or sets itself, to that algorithm, but for what is given", () => {
  const { ppo } = made({ batch_size: 8, init_kl_coef: 0.1 }, { ppo: { algorithm: "rloo", responsesPerPrompt: 2 } });
  const { kl, ...given } = JSON.parse(JSON.stringify(ppo));
  expect(kl).toEqual({ coef: 0.1 });
  expect(given).toMatchObject({
    algorithm: "rloo",
    sequences: 8,
    learningRate: 1.41e-5,
    warmup: 0,
    checkpointEvery: 1,
  });
  for (const key of ["criticKind", "valueClip", "valueCoef", "epochs", "clipLow", "gamma"])
    expect(given).not.toHaveProperty(key);
  expect(made({ vf_coef: 1 }, { ppo: { algorithm: "grpo" } }).ppo).toMatchObject({ valueCoef: 1 });
});

it("accumulates gradients over mini-batches, fixes the coefficient, and takes Ballast's own settings last", () => {
  const { ppo, control } = made(
    { batch_size: 64, mini_batch_size: 8, gradient_accumulation_steps: 4, adap_kl_ctrl: false },
    { ppo: { entropyCoef: 0.02, kl: { in: "loss" } }, control: { profile: "adaptive" } },
  );
  expect(ppo).toMatchObject({ minibatches: 2, entropyCoef: 0.02, stopEpochsAtKl: null });
  expect(ppo!.kl).toEqual({ coef: 0.2, in: "loss" });
  expect(control).toMatchObject({ profile: "adaptive", robustness: { every: 0 } });
});

it.each([
  [{ learning_rat: 1 }, 'unknown name "learning_rat"; did you mean learning_rate?'],
  [{ minibatch_size: 8 }, 'unknown name "minibatch_size"; did you mean mini_batch_size?'],
  [{ ratio_threshold: 10 }, "ratio_threshold has no meaning here"],
  [{ model_name: "" }, "PPOConfig needs model_name"],
])("refuses %o", (options, message) => {
  expect(() => made(options as object)).toThrow(message);
});

it.each([
  [{ batch_size: 60, mini_batch_size: 8 }, "batch_size 60 is not divisible by 8"],
  [{ target_kl: 0.1, early_stopping: false }, "which early_stopping: false turns off"],
  [{ early_stopping: true }, "early_stopping needs target_kl"],
])("refuses what contradicts itself: %o", (options, message) => {
  expect(() => made(options)).toThrow(message);
});
