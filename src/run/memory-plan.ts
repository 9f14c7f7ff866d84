/** What a run will hold in memory at once, model by model, before anything is loaded: for `ballast plan`, and for `ballast run` to refuse what cannot fit. */
import { checkLora } from "../config/checks.ts";
import { smallestRollout } from "../config/checks-ppo.ts";
import type { Config } from "../config/index.ts";
import { type ModelRole, modelRoles } from "../engine/capabilities.ts";
import type { HeadKind, ModelConfig } from "../engine/engine.ts";
import { forwardBytes, lossBytes, samplingBytes, tokensWithin } from "../engine/graph-memory.ts";
import { paddingCost, shareOfPass } from "../engine/pass-size.ts";
import { microBatches } from "../engine/passes.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import { loraSchema } from "../settings/config-schema.ts";
import { keepsMemory } from "../tensor/session.ts";
import type { PreparedRows, RowLengths } from "../trainer/encoded-rows.ts";
import { UsageError } from "../util/errors.ts";
import { machineMemory } from "../util/machine-memory.ts";
import {
  countParameters,
  FrozenParameters,
  onlineModels,
  type PlannedModel,
  type PlannedModels,
  trainedModel,
  withoutAdapter,
} from "./planned-models.ts";

export interface PlanLine {
  readonly what: string;
  readonly bytes: number;
  /** Whether it is in use only while its graph runs, when no other graph does. */
  readonly passing?: boolean;
  /** Whether it is on the device, of a run whose optimizer is offloaded; everything else counts for this machine's memory. */
  readonly onDevice?: boolean;
}

export interface MemoryPlan {
  readonly stage: "sft" | "reward" | "ppo";
  readonly policy: ModelConfig;
  readonly lines: readonly PlanLine[];
  /** Bytes of this machine's memory. */
  readonly total: number;
  /** Bytes on the device, if the optimizer is offloaded from it. */
  readonly onDevice?: number;
  /** Sequences in one pass, and the tokens to which they are padded. */
  readonly pass: { readonly sequences: number; readonly length: number };
}

/** What the rows of a run decide. */
export interface RowFacts {
  readonly vocabularySize: number;
  /** A stage whose rows are unknown counts with the model's whole context. */
  readonly lengths: RowLengths;
}

/**
 * Node, ONNX Runtime, compiled graphs, rows and records: what a run takes whose model is negligible, measured (docs/performance.md). */
const processBytes = 412 * 2 ** 20;

/** The plan of the stage that takes the most; of the models with these roles if others are elsewhere. Throws UsageError for a configuration without a stage. */
export function planMemory(config: Config, facts: RowFacts, roles: readonly ModelRole[] = modelRoles): MemoryPlan {
  const plans = [
    ...(config.sft && roles.includes("policy") ? [planSingle(config, facts, "sft")] : []),
    ...(config.reward && roles.includes("reward") ? [planSingle(config, facts, "reward")] : []),
    ...(config.ppo ? [planOnline(config, facts, roles)] : []),
  ];
  const [largest, ...others] = plans.sort((a, b) => b.total - a.total);
  if (largest === undefined)
    throw new UsageError("the configuration has no stage", "Give it a section sft, reward or ppo.");
  // Compiled graphs live as long as the engine, and the runtime keeps the memory of each.
  const left = others.flatMap(({ stage, lines }) =>
    lines.flatMap(({ what, bytes, passing }) =>
      what === lossLine && !passing ? [{ what: `activations that ${stage} leaves with the runtime`, bytes }] : [],
    ),
  );
  const program = { what: "program, runtime and rows", bytes: processBytes };
  return sum(largest.stage, largest.policy, largest.pass, [program, ...largest.lines, ...left]);
}

const lossLine = "activations of a loss";

/** Throws a UsageError, with what each remedy would save, if a run cannot fit in this machine's memory. */
export function refuseTooLarge(config: Config, facts: RowFacts, memory = machineMemory()): void {
  const { total, stage } = planMemory(config, facts);
  if (total <= memory) return;
  const changes = remedies(config, facts, { memory }).map(
    ({ setting, total }) => `${setting} takes ${gibibytes(total)}`,
  );
  throw new UsageError(
    `${stage} would take ${gibibytes(total)}, and this machine has ${gibibytes(memory)}`,
    `${changes.length > 0 ? `${changes.join("; ")}. ` : ""}Otherwise take a smaller model, a shorter context, or a larger machine. ballast plan shows the parts.`,
  );
}

type Change = readonly [setting: string, change: (config: Config) => Config];

/**
 * Settings that save memory, with the total that each would give on its own, smallest first. If none of them fits into `memory`, the first is as many
 * of them, the largest savings first, as fit together, or all that help.
 */
export function remedies(
  config: Config,
  facts: RowFacts,
  { memory, plan = planMemory }: { readonly memory: number; readonly plan?: typeof planMemory },
): { setting: string; total: number }[] {
  const { total: now } = plan(config, facts);
  const totalOf = (changes: readonly Change[]) =>
    plan(
      changes.reduce((changed, [, change]) => change(changed), config),
      facts,
    ).total;
  const alone = savings(config)
    .map((change) => ({ change, setting: change[0], total: totalOf([change]) }))
    .filter((one) => one.total < 0.98 * now)
    .sort((a, b) => a.total - b.total);
  const single = alone.map(({ setting, total }) => ({ setting, total }));
  const [first, ...others] = alone;
  if (first === undefined || first.total <= memory) return single;
  let taken = [first.change];
  let { total } = first;
  for (const { change } of others) {
    if (total <= memory) break;
    const next = totalOf([...taken, change]);
    if (next >= total) continue;
    taken = [...taken, change];
    total = next;
  }
  return taken.length < 2 ? single : [{ setting: taken.map(([setting]) => setting).join(" with "), total }, ...single];
}

/** Changes of a configuration that save memory. */
function savings(config: Config): Change[] {
  const changes: Change[] = [["recompute=true", (one) => ({ ...one, recompute: true })]];
  const adapted = { ...config, lora: loraSchema.parse({}) };
  if (config.lora === undefined && checkLora(adapted).length === 0)
    changes.push([`lora.rank=${adapted.lora.rank}`, (one) => ({ ...one, lora: adapted.lora })]);
  for (const stage of ["sft", "reward"] as const)
    if (config[stage])
      changes.push([`${stage}.microBatch=1`, (one) => ({ ...one, [stage]: { ...one[stage]!, microBatch: 1 } })]);
  if (config.ppo) {
    const online = (change: Partial<NonNullable<Config["ppo"]>>) => (one: Config) => ({
      ...one,
      ppo: { ...one.ppo!, ...change },
    });
    changes.push(["ppo.criticKind=shared", online({ criticKind: "shared" })]);
    changes.push(["ppo.microBatch=1", online({ microBatch: 1 })]);
    if (config.ppo.slowCritic !== null) changes.push(["ppo.slowCritic=null", online({ slowCritic: null })]);
    const fewer = config.ppo.sequences / 2;
    if (config.ppo.tokensPerStep === undefined && fewer % smallestRollout(config.ppo) === 0)
      changes.push([`ppo.sequences=${fewer}`, online({ sequences: fewer })]);
    changes.push([
      "control.interventions=off (no copy to go back to)",
      (one) => ({ ...one, control: { ...one.control, interventions: "off" } }),
    ]);
  }
  return changes;
}

export function gibibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 30).toPrecision(3))} GiB`;
}

function planSingle(config: Config, facts: RowFacts, stage: "sft" | "reward"): MemoryPlan {
  const model = trainedModel(config, facts.vocabularySize, stage);
  const { config: policy } = model;
  const settings = config[stage] as NonNullable<Config["sft"]>;
  const heads: HeadKind[] = stage === "sft" ? ["lm"] : ["scalar"];
  const pass = largestPass(policy, {
    ...settings,
    config,
    perRow: stage === "reward" ? 2 : 1,
    lengths: facts.lengths[stage],
  });
  const shape = stage === "sft" ? ({ name: "cross_entropy" } as const) : ({ name: "value", clip: false } as const);
  const loss = lossBytes({ config: policy, heads }, pass, { recompute: config.recompute, shape });
  return sum(stage, policy, pass, [
    ...underAdapter(model, new FrozenParameters()),
    ...trained(stage === "sft" ? "policy" : "reward model", policy, heads),
    activations(lossLine, loss, weights(policy, heads) + weights(policy, heads, "trained")),
  ]);
}

function planOnline(config: Config, facts: RowFacts, roles: readonly ModelRole[]): MemoryPlan {
  const ppo = config.ppo!;
  const models = onlineModels(config, facts.vocabularySize);
  const here = <Part>(role: ModelRole, parts: () => readonly Part[]) => (roles.includes(role) ? parts() : []);
  const { config: policy } = models.policy;
  const { config: critic } = models.critic;
  const room = Math.max(1, policy.context - ppo.maxNewTokens);
  const prompt = Math.min(room, facts.lengths.ppo?.reduce((most, length) => Math.max(most, length), 1) ?? room);
  const length = Math.min(policy.context, prompt + ppo.maxNewTokens);
  const sequences = Math.ceil(ppo.sequences / ppo.minibatches);
  const pass = passOf(largestHere(models, roles), { ...ppo, length, sequences, config });
  const withCritic = hasCritic(ppo.algorithm);
  const shared = withCritic && ppo.criticKind === "shared";
  const separate = withCritic && !shared;
  const heads: HeadKind[] = shared ? ["lm", "scalar"] : ["lm"];
  const { recompute } = config;
  const kept = (what: string, its: ModelConfig, heads: readonly HeadKind[]) =>
    config.control.interventions === "off"
      ? []
      : [{ what: `${what}, kept to go back to`, bytes: 3 * weights(its, heads, "trained") }];
  const generation = samplingBytes(policy, { rows: ppo.sequences, prompt, newTokens: ppo.maxNewTokens });
  const model = { config: policy, heads };
  const values = shared ? model : { config: critic, heads: ["scalar"] as const };
  const parameters = weights(policy, heads);
  const withGradients = parameters + weights(policy, heads, "trained");
  const ofValues = weights(values.config, values.heads);
  const frozen = new FrozenParameters();
  const read = { config: models.reference.config, heads: ["lm"] as const };
  return sum("ppo", policy, pass, [
    ...here("policy", () => [
      ...underAdapter(models.policy, frozen),
      ...trained("policy", policy, heads),
      ...kept("policy", policy, heads),
    ]),
    ...here("critic", () => [
      ...(separate
        ? [
            ...underAdapter(models.critic, frozen, "critic: frozen weights"),
            ...trained("critic", critic, ["scalar"]),
            ...kept("critic", critic, ["scalar"]),
          ]
        : []),
      ...(withCritic && ppo.slowCritic !== null
        ? [{ what: "critic, its average", bytes: weights(withoutAdapter(values.config), values.heads) }]
        : []),
    ]),
    // Under a new adapter the reference is the frozen weights.
    ...here("reference", () => [{ what: "reference", bytes: 4 * frozen.of(models.reference, ["lm"]) }]),
    ...here("reward", () =>
      models.rewards.flatMap((one) => [
        { what: `reward model ${one.name}`, bytes: 4 * frozen.of(one, ["scalar"]) },
        activations(
          `activations of reward model ${one.name}`,
          forwardBytes({ config: one.config, heads: ["scalar"] }, pass, ["score"]),
          weights(one.config, ["scalar"]),
        ),
      ]),
    ),
    ...here("policy", () => [
      ...(ppo.policyLoss === "penalty"
        ? [{ what: "policy that sampled", bytes: weights(policy, heads, "trained") }]
        : []),
      activations("activations of the policy's loss", lossBytes(model, pass, { recompute }), withGradients),
      activations("activations of log-probabilities", forwardBytes(model, pass, ["logprobs", "entropy"]), parameters),
      { what: "caches of generation", bytes: generation.cache },
      activations("graphs of generation", generation.graphs, parameters),
    ]),
    ...(withCritic
      ? here(shared ? "policy" : "critic", () => [
          activations(
            "activations of the value loss",
            lossBytes(values, pass, { recompute, shape: { name: "value", clip: true } }),
            ofValues + weights(values.config, values.heads, "trained"),
          ),
          activations("activations of values", forwardBytes(values, pass, ["values"]), ofValues),
        ])
      : []),
    ...(roles.includes("policy")
      ? []
      : here("reference", () => [
          activations(
            "activations of log-probabilities",
            forwardBytes(read, pass, ["logprobs"]),
            weights(read.config, read.heads),
          ),
        ])),
  ]);
}

/** The model by whose size this machine's passes are cut: the policy, or what is here in place of it. */
export function largestHere(
  { policy, critic, reference, rewards }: PlannedModels,
  roles: readonly ModelRole[],
): ModelConfig {
  const inPlace = { policy, critic, reference, reward: rewards[0] ?? policy };
  const first = (["policy", "critic", "reference", "reward"] as const).find((role) => roles.includes(role));
  return inPlace[first ?? "policy"].config;
}

/** The pass with the most padded tokens in a step whose rows are spread evenly over all lengths. */
function largestPass(
  policy: ModelConfig,
  options: {
    readonly microBatch: number;
    readonly batchSize: number;
    readonly config: Config;
    /** Sequences of a row. */
    readonly perRow: number;
    readonly lengths: readonly number[] | undefined;
  },
): MemoryPlan["pass"] {
  const { microBatch, batchSize, config, perRow, lengths = [policy.context] } = options;
  const sorted = lengths.map((length) => Math.min(length, policy.context)).sort((a, b) => b - a);
  const step = Array.from(
    { length: batchSize },
    (_, i) => sorted[Math.floor((i * sorted.length) / batchSize)] as number,
  );
  const limit = tokensWithin(policy, { recompute: config.recompute, budget: shareOfPass * machineMemory() });
  const passes = microBatches(
    step.map((length) => perRow * length),
    microBatch,
    { limit, paddingCost },
  ).map((rows) => ({
    sequences: perRow * rows.length,
    length: Math.max(...rows.map((i) => step[i] as number)),
  }));
  return passes.reduce((most, one) => (one.sequences * one.length > most.sequences * most.length ? one : most));
}

function passOf(
  policy: ModelConfig,
  options: {
    readonly microBatch: number;
    readonly length: number;
    readonly sequences: number;
    readonly config: Config;
  },
): MemoryPlan["pass"] {
  const { microBatch, length, sequences, config } = options;
  const budget = shareOfPass * machineMemory();
  const fits = Math.floor(tokensWithin(policy, { recompute: config.recompute, budget }) / length);
  return { sequences: Math.max(1, Math.min(sequences, microBatch || fits)), length };
}

function trained(role: string, config: ModelConfig, heads: readonly HeadKind[]): PlanLine[] {
  const bytes = weights(config, heads, "trained");
  return [
    { what: `${role}: parameters`, bytes },
    { what: `${role}: gradients`, bytes },
    { what: `${role}: Adam's moments`, bytes: 2 * bytes },
    // The binding copies what a graph writes.
    { what: `${role}: copies of gradients`, bytes },
  ];
}

/** What a graph takes beside its inputs, which have `inputs` bytes of parameters and gradients. */
function activations(what: string, bytes: number, inputs: number): PlanLine {
  return keepsMemory(inputs) ? { what, bytes } : { what, bytes, passing: true };
}

/** Bytes of a model's parameters. */
function weights(config: ModelConfig, heads: readonly HeadKind[], which: "all" | "trained" = "all"): number {
  return 4 * countParameters(config, heads, which);
}

/** The frozen weights on which a model's adapter stands; nothing if it has none, or they are counted already. */
function underAdapter(
  model: PlannedModel,
  frozen: FrozenParameters,
  what = "frozen weights, shared by all adapters",
): PlanLine[] {
  const bytes = 4 * frozen.below(model);
  return bytes === 0 ? [] : [{ what, bytes }];
}

function sum(
  stage: MemoryPlan["stage"],
  policy: ModelConfig,
  pass: MemoryPlan["pass"],
  parts: readonly PlanLine[],
): MemoryPlan {
  const most = Math.max(...parts.map(({ passing, bytes }) => (passing ? bytes : 0)));
  // Of what is in use only at times, the largest counts.
  const lines = parts.filter(({ passing, bytes }) => !passing || bytes === most);
  return { stage, policy, lines, pass, total: lines.reduce((total, { bytes }) => total + bytes, 0) };
}

/** What the rows of a run decide about its memory. */
export function rowFacts({ vocabularySize, encoded }: Pick<PreparedRows, "vocabularySize" | "encoded">): RowFacts {
  return { vocabularySize, lengths: encoded.lengths() };
}
