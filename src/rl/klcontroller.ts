/** Controllers that move a KL coefficient towards a target (PPO.md row 9), each one step of a pure function. */

/**
 * coef (1 + clip(kl / target - 1, -0.2, 0.2) sequences / horizon) (Ziegler et al. 2019, section 2.2). `kl` and `target` have
 * the same unit; `sequences` were sampled since the last step. A KL that is not a number leaves the coefficient alone.
 */
export function zieglerStep(options: {
  readonly coef: number;
  readonly kl: number;
  readonly target: number;
  readonly sequences: number;
  readonly horizon: number;
}): number {
  const { coef, kl, target, sequences, horizon } = options;
  if (Number.isNaN(kl)) return coef;
  const error = Math.min(Math.max(kl / target - 1, -0.2), 0.2);
  return coef * (1 + (error * sequences) / horizon);
}

export interface StepController {
  /** The coefficient rises where KL exceeds `high` times the target, and falls where it is under `low` times it. */
  readonly high: number;
  readonly low: number;
  readonly up: number;
  readonly down: number;
  readonly min?: number;
  readonly max?: number;
}

/** Published settings of the step controller. */
export const stepPresets = {
  /** Schulman et al. 2017, section 4. */
  schulman2017: { high: 1.5, low: 1 / 1.5, up: 2, down: 0.5 },
  guide: { high: 1.5, low: 0.5, up: 2, down: 0.5 },
  /** RLlib's PPO. */
  rllib: { high: 2, low: 0.5, up: 1.5, down: 0.5 },
  /** PPO.md, defaults: the bounded controller. */
  bounded: { high: 2, low: 0.5, up: 1.5, down: 0.8, min: 0.01, max: 1 },
} as const satisfies Record<string, StepController>;

/** The coefficient times `up` or `down` where KL leaves its band, kept within [min, max]. */
export function stepController(
  options: StepController & { readonly coef: number; readonly kl: number; readonly target: number },
): number {
  const { coef, kl, target, high, low, up, down, min = 0, max = Infinity } = options;
  let next = coef;
  if (kl > high * target) next = coef * up;
  else if (kl < low * target) next = coef * down;
  return Math.min(Math.max(next, min), max);
}

/** coef * exp(alpha (kl - target)). A KL that is not finite leaves the coefficient alone: no later one could undo 0 or infinity. */
export function exponentialStep(options: {
  readonly coef: number;
  readonly kl: number;
  readonly target: number;
  readonly alpha: number;
}): number {
  const { coef, kl, target, alpha } = options;
  return Number.isFinite(kl) ? coef * Math.exp(alpha * (kl - target)) : coef;
}

/** Which controller moves a coefficient, and how; bounds hold for every one that moves. */
export interface KlController {
  readonly controller: "fixed" | "step" | "exponential" | "ziegler";
  /** Of `step`; `high`, `low`, `up` and `down` replace its numbers, `min` and `max` its bounds. */
  readonly preset: keyof typeof stepPresets;
  readonly high?: number | undefined;
  readonly low?: number | undefined;
  readonly up?: number | undefined;
  readonly down?: number | undefined;
  /** Of `exponential`. */
  readonly alpha: number;
  /** Of `ziegler`, in sequences; a tenth of the run's by default. */
  readonly horizon?: number | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** The coefficient of the next iteration, after one that sampled `sequences` and measured `kl`, in the target's unit. */
export function nextCoefficient(
  settings: KlController,
  options: {
    readonly coef: number;
    readonly kl: number;
    readonly target: number;
    readonly sequences: number;
    readonly iterations: number;
  },
): number {
  const { controller, preset, alpha, horizon } = settings;
  const { coef, kl, target, sequences, iterations } = options;
  const step: StepController = { ...stepPresets[preset], ...defined(settings, ["high", "low", "up", "down"]) };
  const { min, max } = { ...(controller === "step" ? step : {}), ...defined(settings, ["min", "max"]) };
  const bounded = (next: number) => Math.min(Math.max(next, min ?? 0), max ?? Infinity);
  switch (controller) {
    case "fixed":
      return coef;
    case "step":
      return bounded(stepController({ ...step, min: 0, max: Infinity, coef, kl, target }));
    case "exponential":
      return bounded(exponentialStep({ coef, kl, target, alpha }));
    case "ziegler":
      // PPO.md row 9: the horizon is by default a tenth of the run's sequences.
      return bounded(zieglerStep({ coef, kl, target, sequences, horizon: horizon ?? (iterations * sequences) / 10 }));
  }
}

/** The target of one iteration: from `target` in a line to `targetEnd`, which the last iteration has. */
export function klTargetAt(
  { target, targetEnd }: { readonly target?: number | undefined; readonly targetEnd?: number | undefined },
  { iteration, iterations }: { readonly iteration: number; readonly iterations: number },
): number | undefined {
  if (target === undefined || targetEnd === undefined || iterations < 2) return target;
  return target + ((targetEnd - target) * iteration) / (iterations - 1);
}

function defined<T extends object, K extends keyof T>(from: T, keys: readonly K[]): { [P in K]?: NonNullable<T[P]> } {
  return Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]]))) as {
    [P in K]?: NonNullable<T[P]>;
  };
}
