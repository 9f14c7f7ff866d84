/**
 * Levers: a total table of what an intervention or an operator may move while a run trains, and how far.
 *
 * Rules, messages, settings' histories, metrics, replay and the page read this table. To add a lever, add an entry here and read its values
 * where they act; an entry that lacks a field does not compile.
 */

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** The bounds that the configuration gives (`control.klCoef`). */
export interface ConfiguredBounds {
  readonly klCoef: Bounds;
}

/** One lever. An intervention multiplies all of its values by one factor while it lasts. */
export interface Lever<Value extends string = string> {
  /** The lever's name in messages. */
  readonly words: string;
  /**
   * The values that the lever moves, each with its key in the settings' history. An operator may set a key that belongs to the
   * configuration.
   */
  readonly moves: Readonly<Record<Value, string>>;
  /** The value that an intervention keeps within the bounds; the lever's other values follow it. */
  readonly bounded: NoInfer<Value>;
  readonly bounds: (configured: ConfiguredBounds) => Bounds;
  /** The factors that a rule may use: in words, as a test, and as an example. */
  readonly factor: {
    readonly words: string;
    readonly allows: (factor: number) => boolean;
    readonly example: number;
  };
  /**
   * The first iteration affected by an intervention that is decided before an iteration's update: `this` one, or the `next` because this
   * iteration's rewards already used the value. A decision after the update always affects the next.
   */
  readonly actsIn: "this" | "next";
  /** Whether a second breach within the observation window brings a harder factor for longer (docs/control.md). */
  readonly escalates: boolean;
  /** The metric that records the factor in force: 1 while no intervention moves it. */
  readonly metric: string;
}

/** A factor that can only lower the value. */
const lowers = {
  words: "a number above 0 and below 1",
  allows: (factor: number) => factor > 0 && factor < 1,
  example: 0.7,
};

export const levers = {
  /** The learning rates of policy and critic. */
  learningRate: lever({
    words: "learning rate",
    moves: { policyRate: "ppo.learningRate", criticRate: "ppo.criticLearningRate" },
    bounded: "policyRate",
    bounds: () => ({ min: 0, max: Number.POSITIVE_INFINITY }),
    factor: lowers,
    actsIn: "this",
    escalates: true,
    metric: "settings/learning_rate_multiplier",
  }),
  /** Both sides of the clip range. */
  clip: lever({
    words: "clip range",
    moves: { clipLow: "ppo.clipLow", clipHigh: "ppo.clipHigh" },
    bounded: "clipHigh",
    // docs/control.md: the clip never falls below 0.05.
    bounds: () => ({ min: 0.05, max: 1 }),
    factor: lowers,
    actsIn: "this",
    escalates: false,
    metric: "settings/clip_multiplier",
  }),
  /** Passes of the critic over each minibatch. */
  valueUpdates: lever({
    words: "value updates",
    // Not a configuration key: the configured value is always 1.
    moves: { valueUpdates: "control.valueUpdates" },
    bounded: "valueUpdates",
    bounds: () => ({ min: 1, max: 8 }),
    factor: {
      words: "a whole number from 2 to 8",
      allows: (factor) => Number.isInteger(factor) && factor >= 2 && factor <= 8,
      example: 2,
    },
    actsIn: "this",
    escalates: false,
    metric: "settings/value_updates_multiplier",
  }),
  /** The coefficient of the KL to the reference. */
  klCoef: lever({
    words: "KL coefficient",
    moves: { klCoef: "ppo.kl.coef" },
    bounded: "klCoef",
    bounds: ({ klCoef }) => klCoef,
    factor: {
      words: "a number above 0, at most 10",
      allows: (factor) => factor > 0 && factor <= 10,
      example: 1.5,
    },
    actsIn: "next",
    escalates: false,
    metric: "settings/kl_coef_multiplier",
  }),
  /** The embeddings' share of the learning rate; blocks between them and the head follow it. */
  embeddingsRate: lever({
    words: "rate of the embeddings",
    moves: { embeddingsRate: "ppo.layerRates.embeddings" },
    bounded: "embeddingsRate",
    // A tenth of the head's rate: published are a third to a half (docs/control.md).
    bounds: () => ({ min: 0.1, max: 1 }),
    factor: lowers,
    actsIn: "this",
    escalates: false,
    metric: "settings/embeddings_rate_multiplier",
  }),
  /** The slow critic's decay: a lower one follows the critic faster. 0, which nothing moves, without a slow critic. */
  slowCritic: lever({
    words: "decay of the slow critic",
    moves: { slowCriticDecay: "ppo.slowCritic.decay" },
    bounded: "slowCriticDecay",
    bounds: () => ({ min: 0.5, max: 0.9999 }),
    factor: lowers,
    actsIn: "this",
    escalates: false,
    metric: "settings/slow_critic_multiplier",
  }),
  /** The clip range of the first quarter. 0, which nothing moves, without phases. */
  clipWide: lever({
    words: "wide clip range",
    moves: { clipWide: "ppo.clipWide" },
    bounded: "clipWide",
    bounds: () => ({ min: 0.05, max: 1 }),
    factor: lowers,
    actsIn: "this",
    escalates: false,
    metric: "settings/clip_wide_multiplier",
  }),
} satisfies Readonly<Record<string, Lever>>;

export type LeverName = keyof typeof levers;

type ValueName = { [L in LeverName]: keyof (typeof levers)[L]["moves"] }[LeverName];

/** Every value that a lever moves, as one iteration uses it. */
export type LeverValues = Readonly<Record<ValueName, number>>;

function lever<Value extends string>(entry: Lever<Value>): Lever<Value> {
  return entry;
}

export function isLever(name: string): name is LeverName {
  return Object.hasOwn(levers, name);
}

/** The lever that moves the setting with this key; null if none does. */
export function leverOfKey(key: string): LeverName | null {
  return leverSettings().find((setting) => setting.key === key)?.lever ?? null;
}

/** Builds a record with one entry for each lever. */
export function byLever<Result>(of: (name: LeverName, lever: Lever) => Result): Record<LeverName, Result> {
  return Object.fromEntries(entries().map(([name, one]) => [name, of(name, one)])) as Record<LeverName, Result>;
}

/** One value that a lever moves. */
export interface LeverSetting {
  readonly lever: LeverName;
  /** The value's name. */
  readonly name: keyof LeverValues;
  /** The setting's key. */
  readonly key: string;
}

/** Every value that a lever moves. */
export function leverSettings(): LeverSetting[] {
  return entries().flatMap(([lever, { moves }]) =>
    Object.entries(moves).map(([name, key]) => ({ lever, name: name as ValueName, key })),
  );
}

/** A number for every value that a lever moves. */
export function leverValues(of: (setting: LeverSetting) => number): LeverValues {
  return Object.fromEntries(leverSettings().map((setting) => [setting.name, of(setting)])) as LeverValues;
}

/** The values with each lever's factor applied. */
export function applied(base: LeverValues, factors: Readonly<Record<LeverName, number>>): LeverValues {
  return leverValues(({ lever, name }) => base[name] * factors[lever]);
}

/** The value of each lever that is kept within bounds. */
export function boundedValues(base: LeverValues): Record<LeverName, number> {
  return byLever((_, { bounded }) => base[bounded as ValueName]);
}

/** The bounds that interventions keep each lever's bounded value within. */
export function boundsOf(configured: ConfiguredBounds): Record<LeverName, Bounds> {
  return byLever((_, { bounds }) => bounds(configured));
}

function entries(): [LeverName, Lever][] {
  return Object.entries(levers) as [LeverName, Lever][];
}
