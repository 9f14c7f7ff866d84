/**
 * What an engine may lack. A total table says what in a configuration needs each capability: if a run needs one that its engine lacks, it is refused
 * by name before it begins; signals that the engine does not have are absent.
 */
import { hasCritic } from "../settings/algorithm-table.ts";
import type { Config } from "../settings/config-schema.ts";
import { type ModelReference, schemeOf } from "../settings/model-reference.ts";
import { stages } from "../types/records.ts";
import { UsageError } from "../util/errors.ts";

/** The role of a model in a run. If several engines act as one, each may have a role; any other engine has all of them. */
export const modelRoles = ["policy", "reference", "critic", "reward"] as const;
export type ModelRole = (typeof modelRoles)[number];

/** An engine's name and capabilities. */
export interface EngineAbilities {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** The engines with a role of their own, if this is several engines as one. */
  readonly roles?: Readonly<Partial<Record<ModelRole, EngineAbilities>>>;
}

export interface Capabilities {
  /** A resumed run has the bits of one that was never cut off, on the same machine, threads and versions. */
  readonly bitExact: boolean;
  /** One number per position: for critics and reward models. */
  readonly scalarHeads: boolean;
  /** The entropy of each position as an output. */
  readonly entropy: boolean;
  /** The most likely token of each position as an output. */
  readonly top1: boolean;
  /** Sampling from only the top k or top p. */
  readonly truncatedSampling: boolean;
  /** A copy of a model, with its optimizer. */
  readonly clone: boolean;
  /** A copy whose weights have the adapter merged in: without it SFT's result is the adapter's state. */
  readonly merge: boolean;
  /** The slow average, `ema`. */
  readonly slowAverage: boolean;
  /** Models that are never trained beside the one that is: a reference. */
  readonly frozenModels: boolean;
  /** The global norm of a step's gradient. */
  readonly gradientNorm: boolean;
  /** Norm, mean and variance of the gradient by parameter group. */
  readonly groupNorms: boolean;
  /** The norm of the gradient of each part of a minibatch. */
  readonly partNorms: boolean;
  /** A factor on the learning rate by parameter group. */
  readonly groupRates: boolean;
  readonly dualClip: boolean;
  readonly entropyBonus: boolean;
  /** KL(policy, reference) in the policy loss. */
  readonly klInLoss: boolean;
  /** PPO's penalty form, at least with a KL on the samples. */
  readonly penalty: boolean;
  /** KL(old, new) over the whole vocabulary in the penalty form. */
  readonly fullKl: boolean;
  /** Losses and log-probabilities at a temperature other than 1. */
  readonly temperature: boolean;
  /** What can be trained: every weight, or adapters beside frozen weights. */
  readonly trainable: readonly ("all" | "adapters")[];
  /** What an adapter's settings may be: any, or only its rank, with alpha 32 and on all projections. */
  readonly adapterSettings: "all" | "rank";
  /** Settings of the optimizer that a step cannot choose, with the values that they have. */
  readonly optimizer: FixedOptimizer;
  /** Where the gradient is clipped to a global norm: in the step, to the given norm, or nowhere that the caller can control. */
  readonly clipping: "step" | "none";
  /** How a loss adds up its weighted terms. Every loss of the interface is a sum; one of an engine that takes means must be rescaled. */
  readonly reduction: "sum" | "sequence-mean";
  /** Schemes of the URIs that the engine reads besides folders. */
  readonly schemes: readonly string[];
  /** Largest |ratio - 1| that this engine's rounding explains before anything is learned from a rollout. */
  readonly firstRatioTolerance: number;
  /** Tokens (prompt and longest response) that one call of `sample` may hold: between two calls a run can be interrupted, and an engine idles. */
  readonly tokensAtOnce: number;
}

/** The optimizer's settings, by their names in the section of a stage. */
export type FixedOptimizer = Readonly<
  Partial<Record<"beta1" | "beta2" | "epsilon" | "weightDecay" | "maxGradNorm", number>>
>;

/** The capabilities of an engine that lacks nothing, in float32. */
export const everyCapability: Capabilities = {
  bitExact: true,
  scalarHeads: true,
  entropy: true,
  top1: true,
  truncatedSampling: true,
  clone: true,
  merge: true,
  slowAverage: true,
  frozenModels: true,
  gradientNorm: true,
  groupNorms: true,
  partNorms: true,
  groupRates: true,
  dualClip: true,
  entropyBonus: true,
  klInLoss: true,
  penalty: true,
  fullKl: true,
  temperature: true,
  trainable: ["all", "adapters"],
  adapterSettings: "all",
  optimizer: {},
  clipping: "step",
  reduction: "sum",
  schemes: [],
  // Float32's rounding in log-probabilities of a few nats; passes with the same make-up agree to the bit.
  firstRatioTolerance: 1e-5,
  tokensAtOnce: 32_768,
};

/** A setting that needs a capability, and the role whose engine must have it. */
interface Asked {
  readonly setting: string;
  readonly role: ModelRole;
  /** What to do without the capability. */
  readonly instead: string;
  /** What is missing, if it depends on the configuration. */
  readonly words?: string;
}

interface Need<Value> {
  /** What is missing, in words that follow "has no". */
  readonly words: string;
  readonly has: (value: Value) => boolean;
  /** The settings of a configuration that need it, if the engine does not have it. */
  readonly asked: (config: Config, value: Value) => readonly Asked[];
  /** Prefixes of the signals that are absent without it. */
  readonly absent?: readonly string[];
  /** Settings that no rule can move without it, by their sections. */
  readonly fixed?: readonly string[];
}

const present = (value: boolean) => value;
const never = () => [];

/** The setting in the section `ppo`, if the condition holds. */
function ofPpo(
  { ppo }: Config,
  wanted: (ppo: NonNullable<Config["ppo"]>) => boolean,
  asked: Omit<Asked, "role"> & { readonly role?: ModelRole },
): readonly Asked[] {
  return ppo !== undefined && wanted(ppo) ? [{ role: "policy", ...asked }] : [];
}

export const needs: { readonly [Key in keyof Capabilities]: Need<Capabilities[Key]> } = {
  bitExact: { words: "exact bits on resume", has: present, asked: never },
  scalarHeads: {
    words: "scalar heads",
    has: present,
    asked: (config) => [
      ...(config.reward
        ? [{ setting: "the section reward", role: "reward" as const, instead: localEngine("reward") }]
        : []),
      ...ofPpo(config, ({ rewards }) => rewards.some(({ kind }) => kind === "model" || kind === "comparison"), {
        setting: "a learned reward in ppo.rewards",
        role: "reward",
        instead: localEngine("reward"),
      }),
      ...ofPpo(config, ({ algorithm }) => hasCritic(algorithm), {
        setting: "the critic of ppo.algorithm",
        role: config.ppo?.criticKind === "shared" ? "policy" : "critic",
        instead: `ppo.algorithm=rloo or grpo does without a critic; ${localEngine("critic")}`,
      }),
    ],
  },
  entropy: { words: "entropies", has: present, asked: never, absent: ["entropy/std"] },
  top1: { words: "most likely tokens", has: present, asked: never, absent: ["similarity/top1_agreement"] },
  truncatedSampling: {
    words: "sampling from the top k or top p",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ topK, topP }) => topK > 0 || topP < 1, {
        setting: "ppo.topK or ppo.topP",
        instead: "ppo.topK=0 ppo.topP=1",
      }),
  },
  clone: {
    words: "copies of a model",
    has: present,
    asked: (config) => [
      ...ofPpo(config, ({ slowCritic }) => slowCritic !== null, {
        setting: "ppo.slowCritic",
        role: "critic",
        instead: "ppo.slowCritic=null",
      }),
      ...ofPpo(config, () => config.control.interventions === "on", {
        setting: "control.interventions, which keeps the state before an iteration",
        instead: "control.interventions=off",
      }),
    ],
    absent: ["gradient/noise", "gradient/draw", "gradient/variance_of_mean", "gradient/suggested_sequences"],
  },
  merge: { words: "merging of adapters", has: present, asked: never },
  slowAverage: {
    words: "slow average of a model",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ slowCritic }) => slowCritic !== null, {
        setting: "ppo.slowCritic",
        role: "critic",
        instead: "ppo.slowCritic=null",
      }),
  },
  frozenModels: {
    words: "model beside the one that is trained",
    has: present,
    asked: (config) =>
      ofPpo(config, () => true, {
        setting: "the reference of ppo",
        role: "reference",
        instead: localEngine("reference"),
      }),
  },
  gradientNorm: {
    words: "norm of the gradient",
    has: present,
    asked: never,
    absent: ["gradient/policy_norm", "gradient/policy_clipped_share"],
  },
  groupNorms: {
    words: "norms of the gradient by parameter group",
    has: present,
    asked: never,
    absent: ["gradient/policy/", "gradient/policy_layer", "gradient/critic/", "gradient/critic_layer"],
  },
  partNorms: {
    words: "norms of the gradient by part of a minibatch",
    has: present,
    asked: never,
    absent: ["gradient/noise", "gradient/draw", "gradient/variance_of_mean", "gradient/suggested_sequences"],
  },
  groupRates: {
    words: "learning rates by parameter group",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ layerRates }) => layerRates !== null, {
        setting: "ppo.layerRates",
        instead: "ppo.layerRates=null",
      }),
    fixed: ["ppo.layerRates"],
  },
  dualClip: {
    words: "dual clip",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ dualClip }) => dualClip !== null, { setting: "ppo.dualClip", instead: "ppo.dualClip=null" }),
  },
  entropyBonus: {
    words: "entropy bonus",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ entropyCoef }) => entropyCoef > 0, { setting: "ppo.entropyCoef", instead: "ppo.entropyCoef=0" }),
  },
  klInLoss: {
    words: "KL to the reference in the loss",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ kl }) => kl.in === "loss", { setting: "ppo.kl.in=loss", instead: "ppo.kl.in=reward" }),
  },
  penalty: {
    words: "penalty form of the policy loss",
    has: present,
    asked: (config) =>
      ofPpo(config, ({ policyLoss }) => policyLoss === "penalty", {
        setting: "ppo.policyLoss=penalty",
        instead: "ppo.policyLoss=clip",
      }),
  },
  fullKl: {
    words: "KL of two policies over the whole vocabulary",
    has: present,
    asked: never,
    absent: ["kl/old_new_full_token"],
  },
  temperature: {
    words: "temperature in its losses",
    has: present,
    asked: ({ ppo, evaluation }) => {
      if (ppo === undefined) return [];
      const asked = [
        ...(ppo.temperature === 1 ? [] : [{ setting: "ppo.temperature", instead: "ppo.temperature=1" }]),
        ...(needsTemperature(evaluation.temperature ?? 1)
          ? [{ setting: "evaluation.temperature", instead: "evaluation.temperature=1 or 0, which is greedy" }]
          : []),
      ];
      // The reference's log-probabilities are compared with the policy's.
      return asked.flatMap((one) => (["policy", "reference"] as const).map((role) => ({ ...one, role })));
    },
  },
  trainable: {
    words: "training of all weights",
    // What the configuration trains decides.
    has: () => false,
    asked: (config, kinds) => {
      if (config.lora !== undefined) {
        const needed = { setting: "the section lora", words: "training of adapters", instead: "remove lora" };
        const roles: readonly ModelRole[] = ["policy", "critic", "reward"];
        return kinds.includes("adapters") ? [] : roles.map((role) => ({ ...needed, role }));
      }
      const trains = config.sft || config.reward || config.ppo;
      const instead = "a section lora trains adapters";
      return !trains || kinds.includes("all") ? [] : [{ setting: "every stage", role: "policy", instead }];
    },
  },
  adapterSettings: {
    words: "choice of an adapter's settings besides its rank",
    has: (choice) => choice === "all",
    asked: ({ lora }) => {
      if (lora === undefined) return [];
      const { alpha, rslora, targets } = lora;
      const asked = [
        ...(alpha === 32 ? [] : [{ setting: `lora.alpha=${alpha}`, instead: "lora.alpha=32" }]),
        ...(rslora ? [{ setting: "lora.rslora", instead: "lora.rslora=false" }] : []),
        ...(targets ? [{ setting: "lora.targets", instead: "remove lora.targets" }] : []),
      ];
      return asked.map((one) => ({ ...one, role: "policy" as const }));
    },
  },
  optimizer: {
    words: "choice of the optimizer's settings",
    has: (fixed) => Object.keys(fixed).length === 0,
    asked: (config, fixed) =>
      stages.flatMap((stage) =>
        Object.entries(fixed).flatMap(([key, value]) => {
          const given = config[stage]?.[key as keyof FixedOptimizer];
          if (given === undefined || given === value) return [];
          const role = stage === "reward" ? ("reward" as const) : ("policy" as const);
          return [{ setting: `${stage}.${key}=${given}`, role, instead: `${stage}.${key}=${value}` }];
        }),
      ),
  },
  clipping: {
    words: "clipping to a global norm that a step can set",
    has: (place) => place === "step",
    asked: (config) =>
      stages.flatMap((stage) =>
        config[stage] && config[stage].maxGradNorm !== null
          ? [
              {
                setting: `${stage}.maxGradNorm`,
                role: stage === "reward" ? ("reward" as const) : ("policy" as const),
                instead: `${stage}.maxGradNorm=null`,
              },
            ]
          : [],
      ),
  },
  reduction: {
    words: "losses that are sums",
    has: (how) => how === "sum",
    asked: (config) =>
      ofPpo(config, ({ aggregation }) => aggregation !== "sequence-mean", {
        setting: "ppo.aggregation",
        instead: "ppo.aggregation=sequence-mean",
      }),
  },
  schemes: {
    words: "way to read such a URI",
    // No engine reads every scheme: the configuration's own URIs decide.
    has: () => false,
    asked: (config, schemes) =>
      modelReferences(config).flatMap(({ key, role, reference }) => {
        const scheme = schemeOf(reference);
        if (scheme === null || schemes.includes(scheme)) return [];
        const own = schemes.map((one) => ` or a URI ${one}://`).join("");
        return [{ setting: `${key}=${reference}`, role, instead: `give ${key} a folder${own}` }];
      }),
  },
  firstRatioTolerance: { words: "bound on its rounding", has: Number.isFinite, asked: never },
  tokensAtOnce: { words: "bound on a call's tokens", has: Number.isFinite, asked: never },
};

/** The states of models that a configuration names, each with the role of an engine that loads it. */
function modelReferences({ model, sft, reward, ppo }: Config) {
  const policyKey = ppo?.policy === undefined ? "model.path" : "ppo.policy";
  const policy = ppo && (ppo.policy ?? (sft ? undefined : model.path));
  const rewards = (ppo?.rewards ?? []).flatMap((one, i) =>
    one.kind === "model" || one.kind === "comparison" ? [{ key: `ppo.rewards.${i}.path`, reference: one.path }] : [],
  );
  const startKey = reward?.from === undefined ? "model.path" : "reward.from";
  const start = reward && (reward.from ?? (sft ? undefined : model.path));
  const given = rewards.find(({ reference }) => reference !== undefined);
  const byDefault = reward ? undefined : (given ?? { key: policyKey, reference: policy });
  const critic = ppo?.critic === undefined ? byDefault : { key: "ppo.critic", reference: ppo.critic };
  const named: readonly { key: string; role: ModelRole; reference: ModelReference | undefined }[] = [
    { key: "model.path", role: "policy", reference: sft && model.path },
    { key: startKey, role: "reward", reference: start },
    // Its samples give the scores' mean and variance.
    { key: startKey, role: "policy", reference: start },
    { key: policyKey, role: "policy", reference: policy },
    { key: "ppo.reference", role: "reference", reference: ppo?.reference },
    { key: policyKey, role: "reference", reference: ppo?.reference === undefined ? policy : undefined },
    ...(ppo?.criticKind === "separate" && hasCritic(ppo.algorithm) && critic
      ? [{ ...critic, role: "critic" as const }]
      : []),
    ...rewards.map((one) => ({ ...one, role: "reward" as const })),
  ];
  return named.flatMap((one) => (one.reference === undefined ? [] : [{ ...one, reference: one.reference }]));
}

function localEngine(role: ModelRole): string {
  return `engine.${role}={kind: embedded} keeps it on this machine`;
}

/** The part of an engine's answer about the engine with a role. */
export function engineOfRole(info: EngineAbilities, role: ModelRole): EngineAbilities {
  return info.roles?.[role] ?? info;
}

/** Prefixes of the signals that are absent on this engine, each with what is missing. */
export function absentSignals(info: EngineAbilities): { readonly prefix: string; readonly why: string }[] {
  return lacking(info).flatMap(({ words, absent = [] }) =>
    absent.map((prefix) => ({ prefix, why: `the engine ${info.name} has no ${words}` })),
  );
}

/** Whether a rule can move the setting on this engine, where its models have what the setting acts on. */
export function isMovable(info: EngineAbilities, key: string): boolean {
  return !lacking(info).some(({ fixed = [] }) => fixed.some((section) => key.startsWith(`${section}.`)));
}

/** Models that start by default from the result of SFT, of which an engine that keeps its states elsewhere leaves only a URI, but are on an engine of their own. */
function unreadResults(info: EngineAbilities, { sft, reward, ppo }: Config) {
  const { name, capabilities } = engineOfRole(info, "policy");
  if (!sft || capabilities.schemes.length === 0) return [];
  const learned = ppo?.rewards.some((one) => (one.kind === "model" || one.kind === "comparison") && one.path);
  const ofPolicy = ppo !== undefined && ppo.policy === undefined;
  const critic = ofPolicy && ppo.criticKind === "separate" && hasCritic(ppo.algorithm) && !reward && !learned;
  const byDefault = {
    reward: { key: "reward.from", starts: reward && reward.from === undefined },
    reference: { key: "ppo.reference", starts: ofPolicy && ppo.reference === undefined },
    critic: { key: "ppo.critic", starts: critic && ppo.critic === undefined },
  };
  return Object.entries(byDefault).flatMap(([role, { key, starts }]) => {
    const own = info.roles?.[role as ModelRole];
    if (!starts || own === undefined) return [];
    const what = `the engine ${own.name} cannot read the result of sft, which the engine ${name} keeps, and ${key} is that by default`;
    return [{ what, instead: `give ${key} a folder with weights` }];
  });
}

/** Whether log-probabilities at this temperature of an evaluation differ from those at 1. At 0, greedy, they are taken at 1. */
export function needsTemperature(temperature: number): boolean {
  return temperature !== 0 && temperature !== 1;
}

/** Throws one UsageError with every capability that the configuration needs and its engine lacks, and what to do without each. */
export function checkCapabilities(info: EngineAbilities, config: Config): void {
  const problems = modelRoles.flatMap((role) => {
    const engine = engineOfRole(info, role);
    return lacking(engine).flatMap(({ key, words, asked }) =>
      asked(config, engine.capabilities[key] as never)
        .filter((one) => one.role === role)
        .map(({ setting, instead, words: own = words }) => ({
          what: `the engine ${engine.name} has no ${own}, which ${setting} needs`,
          instead,
        })),
    );
  });
  problems.push(...unreadResults(info, config));
  if (problems.length > 0)
    throw new UsageError(
      [...new Set(problems.map(({ what }) => what))].join("; "),
      `Instead: ${[...new Set(problems.map(({ instead }) => instead))].join("; ")}.`,
    );
}

function lacking({ capabilities }: EngineAbilities): (Need<never> & { readonly key: keyof Capabilities })[] {
  return (Object.keys(needs) as (keyof Capabilities)[])
    .filter((key) => !(needs[key].has as (value: unknown) => boolean)(capabilities[key]))
    .map((key) => ({ ...(needs[key] as Need<never>), key }));
}
