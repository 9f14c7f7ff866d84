/** The plan of a run on the PyTorch engine: every model and setting shows in it. Its sums are compared with what runs take in docs/performance.md. */
import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { planTorch } from "./torch-memory-plan.ts";

const facts = { vocabularySize: 500, lengths: { sft: [12, 20], reward: [12, 20], ppo: [12, 20] } };
const sizes = [
  "model.layers=4",
  "model.width=256",
  "model.context=64",
  "ppo.sequences=64",
  "ppo.maxNewTokens=40",
  "ppo.minibatches=2",
  "sft.batchSize=8",
  "reward.batchSize=8",
];
const planOf = (...overrides: string[]) =>
  planTorch(loadConfig("examples/helpdesk/mini.yaml", ["engine=torch", ...sizes, ...overrides]).config, facts);
const of = (what: string, ...overrides: string[]) =>
  planOf(...overrides).lines.find((line) => line.what === what)!.bytes;

test("adds up its lines; weights, gradients and moments are 4, 4 and 8 bytes a parameter", () => {
  const { lines, total, stage } = planOf();
  expect(stage).toBe("ppo");
  expect(total).toBe(lines.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(of("policy: gradients")).toBe(of("policy: parameters"));
  expect(of("policy: Adam's moments")).toBe(2 * of("policy: parameters"));
  expect(of("reference")).toBe(of("policy: parameters"));
  // In bf16 also what passes read, 2 bytes, once for policy and critic; what is only read has only them.
  expect(of("policy: parameters", "engine.dtype=bf16")).toBe(of("policy: parameters"));
  expect(of("weights rounded for passes", "engine.dtype=bf16")).toBe(0.5 * of("policy: parameters"));
  expect(of("reference", "engine.dtype=bf16")).toBe(0.5 * of("reference"));
});

test("with the optimizer offloaded, what steps change is on the host, and what passes read on the device", () => {
  for (const dtype of ["fp32", "bf16"]) {
    const offloaded = planOf(`engine.dtype=${dtype}`, "engine.offload=optimizer");
    const here = planOf(`engine.dtype=${dtype}`);
    const named = (on: boolean) =>
      offloaded.lines.filter(({ onDevice = false }) => onDevice === on).map(({ what }) => what);
    const [first, ...host] = named(false);
    expect(first).toMatch(/^Node and/);
    for (const what of host) expect(what).toMatch(/parameters$|gradients$|moments$|kept to go back to$/);
    expect(host.filter((what) => what.startsWith("critic"))).toHaveLength(4);
    expect(named(true)).toContain("reference");
    expect(named(true)).toContain("activations of a pass");
    const copies = dtype === "bf16" ? 0 : of("policy: parameters");
    expect(offloaded.total + offloaded.onDevice!).toBe(here.total + copies);
    expect(here.onDevice).toBeUndefined();
  }
});

test("the average of a critic with an adapter has the weights that the adapter moves, over several processes all", () => {
  const average = (processes: number, lora?: { rank: number; alpha: number; rslora: boolean }) => {
    const overrides = ["engine=torch", ...sizes, "ppo.slowCritic={decay: 0.9}", `engine.processes=${processes}`];
    const { config } = loadConfig("examples/helpdesk/mini.yaml", overrides);
    const { lines } = planTorch({ ...config, ...(lora && { lora }) }, facts);
    return lines.find(({ what }) => what === "critic, its average")!.bytes;
  };
  const lora = { rank: 2, alpha: 4, rslora: false };
  const [width, layers] = [256, 4];
  // Queries, keys, values, the output, and the two matrices of the MLP; the scalar head with its bias.
  expect(average(1, lora)).toBe(4 * (layers * 12 * width ** 2 + width + 1));
  expect(average(2, lora)).toBe(average(2));
});

test("a pass is cut as the engine cuts it, for all processes together", () => {
  expect(planOf().pass).toEqual({ sequences: 32, length: 60 });
  expect(planOf("ppo.microBatch=4").pass.sequences).toBe(4);
  expect(planOf("ppo.microBatch=4", "engine.processes=2").pass.sequences).toBe(8);
});

test("logits are those of scored tokens: none in the reward stage, responses in PPO, twice with the old policy's", () => {
  const activations = (stage: "reward" | "ppo", vocabularySize: number, ...overrides: string[]) => {
    const { config } = loadConfig("examples/helpdesk/mini.yaml", ["engine=torch", ...sizes, ...overrides]);
    const only = { ...config, sft: undefined, reward: undefined, ppo: undefined, [stage]: config[stage] };
    const { lines, pass } = planTorch(only, { ...facts, vocabularySize });
    return { pass, bytes: lines.find(({ what }) => what === "activations of a pass")!.bytes };
  };
  expect(activations("reward", 5000).bytes).toBe(activations("reward", 500).bytes);
  const [small, large] = [activations("ppo", 500), activations("ppo", 5000)];
  expect(large.bytes - small.bytes).toBe(4 * 4500 * large.pass.sequences * 40);
  const penalty = activations("ppo", 5000, "ppo.policyLoss=penalty").bytes;
  expect(penalty - large.bytes).toBe(4 * 5000 * large.pass.sequences * 40);
});

test("of several machines only what this one holds counts", () => {
  const two = ["engine.processes=2", "engine.nodes=2", "engine.rendezvous=10.0.0.1:29500"];
  const { lines, pass } = planOf(...two, "ppo.microBatch=4");
  expect(lines[0]!.what).toBe("Node and 2 of PyTorch's 4 processes");
  expect(pass.sequences).toBe(16);
  for (const what of ["policy: parameters", "policy: Adam's moments", "reference"])
    expect(of(what, ...two)).toBe(0.5 * of(what));
  expect(of("activations of a pass", ...two)).toBe(0.5 * of("activations of a pass", "engine.processes=2"));
  // Of Ray's processes the first one is here for certain.
  const ray = ["engine.processes=4", "engine.launch=ray", "engine.device=cpu"];
  expect(planOf(...ray).lines[0]!.what).toMatch(/^Node and 1 of PyTorch's 4 processes: each that Ray places here, too/);
  expect(of("policy: parameters", ...ray)).toBe(0.25 * of("policy: parameters"));
});

test("with reshard: step every process keeps the whole weights of every model", () => {
  const two = ["engine.processes=2", "engine.reshard=step"];
  const models = ["policy: parameters", "critic: parameters", "reference", "reward model"];
  const { lines } = planOf(...two);
  const rows = lines.filter(({ what }) => models.some((model) => what.startsWith(model)));
  expect(rows).toHaveLength(4);
  expect(of("weights gathered in each process", ...two)).toBe(2 * rows.reduce((sum, { bytes }) => sum + bytes, 0));
  // Otherwise the policy's, to sample.
  const policy = of("policy: parameters", "engine.processes=2");
  expect(of("weights gathered in each process", "engine.processes=2")).toBe(2 * policy);
  expect(() => of("weights gathered in each process", "engine.reshard=step")).toThrow();
});

test("every process has the whole of an adapter, and its share of the frozen weights", () => {
  const bytes = (what: string, processes: number) => {
    const { config } = loadConfig("examples/helpdesk/mini.yaml", [
      "engine=torch",
      ...sizes,
      `engine.processes=${processes}`,
    ]);
    const lora = { rank: 2, alpha: 4, rslora: false };
    return planTorch({ ...config, lora }, facts).lines.find((line) => line.what === what)!.bytes;
  };
  expect(bytes("policy: parameters", 2)).toBe(2 * bytes("policy: parameters", 1));
  expect(bytes("frozen weights, shared by all adapters", 2)).toBe(bytes("frozen weights, shared by all adapters", 1));
});

test.each([["recompute=true"], ["ppo.microBatch=1"], ["engine.dtype=bf16"], ["control.interventions=off"]])(
  "falls with %s",
  (override) => expect(planOf(override).total).toBeLessThan(planOf().total),
);

test.each([["model.layers=8"], ["model.width=512"], ["engine.processes=2"], ["ppo.slowCritic={decay: 0.9}"]])(
  "grows with %s",
  (override) => expect(planOf(override).total).toBeGreaterThan(planOf().total),
);
