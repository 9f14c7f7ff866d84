/**
 * Controllers that move a KL coefficient towards a target (docs/PPO.md row 9), each one step of a pure function. The first three are the
 * published formulas; `nextCoefficient`, which runs use, keeps the coefficient within bounds above 0, so that it can always recover.
 */

/**
 * Bounds for a coefficient without bounds of its own: the minimum is the one for interventions (`control.bounds.klCoef.min`), the maximum a
 * hundred times the starting penalty of Schulman et al. 2017. Published coefficients are 0.05 to 0.2.
 */
export const coefficientBounds = { min: 0.001, max: 100 } as const;

/**
 * coef (1 + clip(kl / target - 1, -0.2, 0.2) sequences / horizon) (Ziegler et al. 2019, section 2.2). `kl` and `target` have the same unit;
 * `sequences` is the number sampled since the last step. A KL that is not a number leaves the coefficient unchanged.
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
  /** The coefficient rises if the KL exceeds `high` times the target, and falls if it is below `low` times the target. */
  readonly high: number;
  readonly low: number;
  readonly up: number;
  readonly down: number;
  readonly min?: number;
  readonly max?: number;
}

/** Published settings for the step controller. */
export const stepPresets = {
  /** Schulman et al. 2017, section 4. */
  schulman2017: { high: 1.5, low: 1 / 1.5, up: 2, down: 0.5 },
  guide: { high: 1.5, low: 0.5, up: 2, down: 0.5 },
  /** The settings of RLlib's PPO. */
  rllib: { high: 2, low: 0.5, up: 1.5, down: 0.5 },
  /** The default of the bounded controller in docs/PPO.md. */
  bounded: { high: 2, low: 0.5, up: 1.5, down: 0.8, min: 0.01, max: 1 },
} as const satisfies Record<string, StepController>;

/** The coefficient times `up` or `down` if the KL leaves its band, kept within [min, max]. */
export function stepController(
  options: StepController & { readonly coef: number; readonly kl: number; readonly target: number },
): number {
  const { coef, kl, target, high, low, up, down, min = 0, max = Infinity } = options;
  let next = coef;
  if (kl > high * target) next = coef * up;
  else if (kl < low * target) next = coef * down;
  return Math.min(Math.max(next, min), max);
}

/** coef * exp(alpha (kl - target)). A KL that is not finite leaves the coefficient unchanged. */
export function exponentialStep(options: {
  readonly coef: number;
  readonly kl: number;
  readonly target: number;
  readonly alpha: number;
}): number {
  const { coef, kl, target, alpha } = options;
  return Number.isFinite(kl) ? coef * Math.exp(alpha * (kl - target)) : coef;
}

/** Which controller moves a coefficient, and how. The bounds hold for every controller that moves it. */
export interface KlController {
  readonly controller: "fixed" | "step" | "exponential" | "ziegler";
  /** Used by `step`; `high`, `low`, `up` and `down` replace the preset's numbers, `min` and `max` its bounds. */
  readonly preset: keyof typeof stepPresets;
  readonly high?: number | undefined;
  readonly low?: number | undefined;
  readonly up?: number | undefined;
  readonly down?: number | undefined;
  /** Used by `exponential`. */
  readonly alpha: number;
  /** Used by `ziegler`, in sequences; by default a tenth of the run's sequences. */
  readonly horizon?: number | undefined;
  /** The lowest coefficient, above 0. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/**
 * The coefficient of the next iteration, given that this one sampled `sequences` and measured `kl` in the target's unit. A coefficient that
 * moves is always finite and above 0: it stays within `min` and `max` from the settings, else from the preset, else from
 * `coefficientBounds`. A coefficient that starts outside `coefficientBounds` is not pulled into them at once: it may only move towards
 * them.
 */
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
  const { coef } = options;
  if (settings.controller === "fixed") return coef;
  const next = unbounded(settings, options);
  const bounds = controllerBounds(settings);
  const { min = Math.min(coefficientBounds.min, coef || Infinity, bounds.max ?? Infinity) } = bounds;
  const { max = Math.max(coefficientBounds.max, coef, min) } = bounds;
  return Math.min(Math.max(Number.isNaN(next) ? coef : next, min), max);
}

/**
 * The smallest and the largest factor by which one iteration may move the coefficient, ignoring its bounds. `exponential` has no limits, so
 * its factors are those for a KL of 0 and of twice the target. A smallest factor of 0 or less would lose the coefficient.
 */
export function reachOf(
  settings: KlController,
  options: { readonly target: number; readonly sequences: number; readonly iterations: number },
): { readonly least: number; readonly greatest: number } {
  const at = (kl: number) => unbounded(settings, { ...options, coef: 1, kl });
  return { least: at(0), greatest: at(settings.controller === "exponential" ? 2 * options.target : Number.MAX_VALUE) };
}

function unbounded(settings: KlController, options: Parameters<typeof nextCoefficient>[1]): number {
  const { sequences, iterations, ...seen } = options;
  switch (settings.controller) {
    case "fixed":
      return seen.coef;
    case "step":
      return stepController({ ...stepOf(settings), min: 0, max: Infinity, ...seen });
    case "exponential":
      return exponentialStep({ ...seen, alpha: settings.alpha });
    case "ziegler":
      // docs/PPO.md row 9: by default a tenth of the run's sequences, but at least one iteration's, so that a step moves by at most 20%.
      return zieglerStep({
        ...seen,
        sequences,
        horizon: settings.horizon ?? Math.max(sequences, (iterations * sequences) / 10),
      });
  }
}

function stepOf(settings: KlController): StepController {
  return { ...stepPresets[settings.preset], ...defined(settings, ["high", "low", "up", "down"]) };
}

/** The coefficient's bounds: those of the settings, else the preset's, else `coefficientBounds`. */
export function controllerBounds(settings: Pick<KlController, "controller" | "preset" | "min" | "max">): {
  readonly min?: number;
  readonly max?: number;
} {
  const { min, max }: StepController = stepPresets[settings.preset];
  return {
    ...(settings.controller === "step" && defined({ min, max }, ["min", "max"])),
    ...defined(settings, ["min", "max"]),
  };
}

/** The KL target of one iteration, on a straight line from `target` in the first to `targetEnd` in the last. */
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
