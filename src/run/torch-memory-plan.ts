/** What a run on the PyTorch engine will hold in memory at once, in all its processes on this machine together, before anything is loaded. */
import type { Config } from "../config/index.ts";
import { type ModelRole, modelRoles } from "../engine/capabilities.ts";
import type { HeadKind, ModelConfig } from "../engine/engine.ts";
import { mostTokens } from "../engine/pass-size.ts";
import { microBatches } from "../engine/passes.ts";
import { tokensOfTorchPass } from "../engine/torch/index.ts";
import { parameterSpecs } from "../models/family.ts";
import { cacheSizes } from "../models/model-config.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import { largestHere, type MemoryPlan, type PlanLine, type RowFacts } from "./memory-plan.ts";
import { countParameters, FrozenParameters, onlineModels, trainedModel, withoutAdapter } from "./planned-models.ts";

/**
 * Node with its rows and records, and a worker's Python with PyTorch, transformers and what allocators keep: what three runs took beyond the
 * models and passes counted here (docs/performance.md). */
const nodeBytes = 370 * 2 ** 20;
const workerBytes = 480 * 2 ** 20;

/**
 * Bytes that a block keeps of each token for its backward pass: factors on the width, on the width of keys, and on the inner width of the MLP. Measured with
 * PyTorch's hooks on saved tensors, transformers 5.24, attention by `sdpa`.
 */
const kept: Readonly<Record<string, { readonly fp32: Factors; readonly bf16: Factors }>> = {
  gpt2: { fp32: [32, 0, 8], bf16: [16, 0, 4] },
  gpt_neox: { fp32: [40, 0, 8], bf16: [20, 0, 4] },
  llama: { fp32: [32, 8, 16], bf16: [20, 4, 8] },
  mistral: { fp32: [32, 8, 16], bf16: [20, 4, 8] },
  qwen2: { fp32: [32, 8, 16], bf16: [20, 4, 8] },
  qwen3: { fp32: [40, 16, 16], bf16: [26, 10, 8] },
  gemma3_text: { fp32: [56, 16, 16], bf16: [48, 12, 8] },
};
type Factors = readonly [number, number, number];

/** The plan of the stage that takes the most; of the models with these roles if others are elsewhere. The configuration has a stage. */
export function planTorch(config: Config, facts: RowFacts, roles: readonly ModelRole[] = modelRoles): MemoryPlan {
  const trainee = { sft: "policy", reward: "reward", ppo: null } as const;
  const plans = (["sft", "reward", "ppo"] as const).flatMap((stage) => {
    const role = trainee[stage];
    return config[stage] && (role === null || roles.includes(role)) ? [planStage(config, facts, { stage, roles })] : [];
  });
  return plans.reduce((most, one) => (one.total > most.total ? one : most));
}

function planStage(
  config: Config,
  facts: RowFacts,
  { stage, roles }: { readonly stage: MemoryPlan["stage"]; readonly roles: readonly ModelRole[] },
): MemoryPlan {
  const { dtype = "fp32", offload, reshard = "pass" } = config.engine;
  const processes = processesOf(config);
  const { here, all } = processes;
  const trainee = trainedModel(config, facts.vocabularySize, stage);
  const { config: policy } = trainee;
  const { lengths } = facts;
  const online = stage === "ppo" ? config.ppo : undefined;
  const models = online && onlineModels(config, facts.vocabularySize);
  const largest = models ? largestHere(models, roles) : policy;
  const pass = passOf(config, largest, facts, stage);
  // Of a pass each process has its share of the rows, at least one.
  const rows = here * Math.ceil(pass.sequences / all);
  // Whether the model that the stage trains is here: of the online stage the policy.
  const trains = models === undefined || roles.includes("policy");
  const frozen = new FrozenParameters();
  const withCritic = online !== undefined && hasCritic(online.algorithm);
  const shared = withCritic && online.criticKind === "shared";
  const heads: HeadKind[] = stage === "reward" ? ["scalar"] : shared ? ["lm", "scalar"] : ["lm"];
  const keeps = online !== undefined && config.control.interventions === "on";
  const adapts = policy.adapter !== undefined;
  // In bf16, or with the optimizer offloaded, passes read copies: an adapter has its own, models that train all weights have one array in turns.
  const copies = (dtype === "bf16" || offload !== undefined) && all === 1;
  const readBytes = dtype === "bf16" ? 2 : 4;
  const ownCopies = copies && adapts ? readBytes : 0;
  const onDevice = (line: PlanLine): PlanLine => (offload ? { ...line, onDevice: true } : line);
  /** What lies in rows over all processes, as far as it is on this machine. */
  const inRows = (numbers: number) => Math.ceil((numbers * here) / all);
  /** Numbers that passes read, of all models whose rows they gather. */
  let gatherable = 0;
  /** Adapters are whole in every process. */
  const trainedHere = (model: ModelConfig, its: readonly HeadKind[]) => {
    const numbers = countParameters(model, its, "trained");
    if (model.adapter) return here * numbers;
    gatherable += numbers;
    return inRows(numbers);
  };
  /** Values of a model that is trained, or was: in float32, and an adapter's copies of them. */
  const held = (what: string, numbers: number, more = 0): PlanLine[] =>
    offload && ownCopies > 0
      ? [
          { what, bytes: 4 * numbers + more },
          onDevice({ what: `${what}, copied for passes`, bytes: ownCopies * numbers }),
        ]
      : [{ what, bytes: (4 + ownCopies) * numbers + more }];
  const turns =
    copies && !adapts
      ? [
          onDevice({
            what: dtype === "bf16" ? "weights rounded for passes" : "weights copied for passes",
            bytes: readBytes * countParameters(largest, heads, "trained"),
          }),
        ]
      : [];
  const trained = (role: string, model: ModelConfig, its: readonly HeadKind[]): PlanLine[] => {
    const numbers = trainedHere(model, its);
    const lines = [
      ...held(`${role}: parameters`, numbers),
      { what: `${role}: gradients`, bytes: 4 * numbers },
      { what: `${role}: Adam's moments`, bytes: 8 * numbers },
    ];
    return keeps ? [...lines, ...held(`${role}, kept to go back to`, numbers, 8 * numbers)] : lines;
  };
  /** Weights that are only read are held as passes read them. */
  const read = (what: string, numbers: number) => {
    gatherable += numbers;
    return onDevice({ what, bytes: inRows(numbers) * readBytes });
  };
  const room = Math.max(1, policy.context - (online?.maxNewTokens ?? 0));
  const prompt = Math.min(room, Math.max(1, ...(lengths.ppo ?? [room])));
  const critic = shared || !models ? policy : models.critic.config;
  const lowest: PlanLine[] =
    adapts && trains ? [read("frozen weights, shared by all adapters", frozen.below(trainee))] : [];
  const learners: PlanLine[] = trains ? trained(stage === "reward" ? "reward model" : "policy", policy, heads) : [];
  const hasValues = withCritic && roles.includes("critic");
  if (models && hasValues && !shared) {
    const below = frozen.below(models.critic);
    if (below > 0) lowest.push(read("critic: frozen weights", below));
    learners.push(...trained("critic", critic, ["scalar"]));
  }
  // Merged, it has arrays of its own for the weights that the adapter moves, or over several processes for all.
  if (hasValues && online.slowCritic !== null) {
    const numbers = averaged(critic, all);
    gatherable += numbers;
    learners.push(...held("critic, its average", inRows(numbers)));
  }
  if (trains && online?.policyLoss === "penalty")
    learners.push(...held("policy that sampled", trainedHere(policy, heads)));
  const readers = models
    ? [
        // Under a new adapter the reference is the frozen weights.
        ...(roles.includes("reference") ? [models.reference] : [])
          .map((one) => frozen.of(one, ["lm"]))
          .flatMap((more) => (more > 0 ? [read("reference", more)] : [])),
        ...(roles.includes("reward") ? models.rewards : []).map((one) =>
          read(`reward model ${one.name}`, frozen.of(one, ["scalar"])),
        ),
      ]
    : [];
  // Only scored tokens have logits: of a rollout its responses, of pairs none. PPO's penalty form has those of the policy that sampled, too.
  const responses = Math.min(pass.length, online?.maxNewTokens ?? 0) * (online?.policyLoss === "penalty" ? 2 : 1);
  const scored = { sft: pass.length, reward: 0, ppo: responses }[stage];
  const tokens = { read: rows * pass.length, scored: rows * scored };
  const passes: PlanLine[] = [{ what: "activations of a pass", bytes: lossBytes(largest, tokens, { config, dtype }) }];
  const length = prompt + (online?.maxNewTokens ?? 0);
  const each = Math.ceil((online?.sequences ?? 0) / all);
  if (online && trains) {
    const generation = here * samplingBytes(policy, { rows: each, length, dtype });
    passes.push({ what: "cache and logits of generation", bytes: generation });
  }
  if (roles.includes("reward"))
    for (const { name, config: judge } of models?.rewards ?? [])
      passes.push({
        what: `activations of a pass of reward model ${name}`,
        bytes: here * Math.min(mostTokens, each * length) * blockBytes(judge, dtype),
      });
  // Several processes gather the blocks one after the other, and the whole model to sample; or they keep what they have gathered, of every model.
  const whole = reshard === "step" ? gatherable : trains ? countParameters(policy, ["lm"]) : 0;
  const gathered =
    all === 1 || whole === 0 ? [] : [{ what: "weights gathered in each process", bytes: here * readBytes * whole }];
  const most = onDevice(passes.reduce((a, b) => (b.bytes > a.bytes ? b : a)));
  const programs = { what: `Node and ${inWords(processes)}`, bytes: nodeBytes + here * workerBytes };
  const lines: PlanLine[] = [programs, ...lowest, ...learners, ...turns, ...readers, ...gathered, most];
  const sum = (on: boolean) =>
    lines.reduce((total, { bytes, onDevice = false }) => total + (onDevice === on ? bytes : 0), 0);
  return { stage, policy, lines, pass, total: sum(false), ...(offload && { onDevice: sum(true) }) };
}

interface Processes {
  readonly here: number;
  readonly all: number;
  /** Whether more than the one that is counted may come to this machine. */
  readonly byRay: boolean;
}

/** Processes on this machine, and on all. Ray's places are known when it starts them: only the first is here for certain. */
function processesOf({ engine: { processes = 1, nodes = 1, launch } }: Config): Processes {
  const byRay = launch === "ray";
  return { here: byRay ? 1 : processes, all: byRay ? processes : processes * nodes, byRay };
}

function inWords({ here, all, byRay }: Processes): string {
  if (byRay)
    return `1 of PyTorch's ${all} processes: each that Ray places here, too, takes about as much as all but Node`;
  return all === here ? `${here} of PyTorch's processes` : `${here} of PyTorch's ${all} processes`;
}

/** The largest pass of all processes together. */
function passOf(
  config: Config,
  policy: ModelConfig,
  { lengths }: RowFacts,
  stage: MemoryPlan["stage"],
): MemoryPlan["pass"] {
  const { all } = processesOf(config);
  const limit = all * tokensOfTorchPass(policy);
  if (stage === "ppo") {
    const { sequences, minibatches, maxNewTokens, microBatch } = config.ppo!;
    const room = Math.max(1, policy.context - maxNewTokens);
    const length = Math.min(policy.context, Math.min(room, Math.max(1, ...(lengths.ppo ?? [room]))) + maxNewTokens);
    const rows = Math.ceil(sequences / minibatches);
    return { sequences: Math.max(1, Math.min(rows, all * microBatch || Math.floor(limit / length))), length };
  }
  const { batchSize, microBatch } = config[stage]!;
  const perRow = stage === "reward" ? 2 : 1;
  const sorted = (lengths[stage] ?? [policy.context])
    .map((length) => Math.min(length, policy.context))
    .sort((a, b) => b - a);
  const step = Array.from({ length: batchSize }, (_, i) => sorted[Math.floor((i * sorted.length) / batchSize)]!);
  const cut = microBatches(
    step.map((length) => perRow * length),
    all * microBatch,
    { limit: stage === "reward" ? all * mostTokens : limit },
  );
  const sizes = cut.map((rows) => ({
    sequences: perRow * rows.length,
    length: Math.max(...rows.map((i) => step[i]!)),
  }));
  return sizes.reduce((most, one) => (one.sequences * one.length > most.sequences * most.length ? one : most));
}

type Dtype = "fp32" | "bf16";

/** A loss's activations, and one array with the logits of its scored tokens. */
function lossBytes(
  policy: ModelConfig,
  tokens: { readonly read: number; readonly scored: number },
  { config, dtype }: { config: Config; dtype: Dtype },
): number {
  const { width, layers, vocabularySize } = policy;
  const block = blockBytes(policy, dtype);
  // A backward pass has about half of a block's activations again as gradients.
  const blocks = config.recompute ? layers * width * (dtype === "bf16" ? 2 : 4) + 1.5 * block : (layers + 0.5) * block;
  return tokens.read * (blocks + 12 * width) + tokens.scored * 4 * vocabularySize;
}

/** What a block keeps of one token for its backward pass; a pass without one has no more than one block's at a time. */
function blockBytes(model: ModelConfig, dtype: Dtype): number {
  const { family, width, innerWidth = 4 * width } = model;
  const { kvHeads, headDim } = cacheSizes(model);
  const [ofWidth, ofKeys, ofInner] = (kept[family] ?? kept.llama!)[dtype];
  return ofWidth * width + ofKeys * kvHeads * headDim + ofInner * innerWidth;
}

function samplingBytes(
  policy: ModelConfig,
  { rows, length, dtype }: { rows: number; length: number; dtype: Dtype },
): number {
  const { layers, vocabularySize } = policy;
  const { kvHeads, headDim } = cacheSizes(policy);
  // The sampler's own bounds: rows in a batch, and entries of its cache.
  const entries = 2 * layers * kvHeads * headDim * length;
  const at = Math.max(1, Math.min(rows, 256, Math.floor(2 ** 26 / entries)));
  // Logits, their log-softmax, its exponential and sums in float64.
  return at * (entries * (dtype === "bf16" ? 2 : 4) + 20 * vocabularySize);
}

/** Parameters of a critic's average that are its own. */
function averaged(critic: ModelConfig, processes: number): number {
  const { adapter } = critic;
  const config = withoutAdapter(critic);
  if (adapter === undefined || processes > 1) return countParameters(config, ["scalar"]);
  const moved = new Set(adapter.modules.map(({ name }) => `${name}.weight`));
  return parameterSpecs(config, ["scalar"])
    .filter(({ name, group }) => moved.has(name) || group === "score")
    .reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
}
