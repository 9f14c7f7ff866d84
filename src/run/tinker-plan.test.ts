/** The plan of what crosses the wire, against the sums of docs/scale.md and the bytes that the benchmark counted. */
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/stage.ts";
import { writeModelConfig } from "../models/hf-folder.ts";
import { configSchema } from "../settings/config-schema.ts";
import { planTinker } from "./tinker-plan.ts";

const configOf = (ppo: object, engine: object = {}, rest: object = {}) =>
  configSchema.parse({
    engine: { kind: "tinker", url: "http://127.0.0.1:1", model: "m", backend: "hosted", ...engine },
    model: { path: "m" },
    ...rest,
    ppo: { prompts: { path: "p.jsonl" }, sequences: 1024, maxNewTokens: 2048, minibatches: 4, ...ppo },
  });
const facts = { vocabularySize: 150_000, lengths: { ppo: [140] } };
const rloo = { algorithm: "rloo", responsesPerPrompt: 8 };

test("an iteration's bytes are those that were counted on the wire", () => {
  const { up, down } = planTinker(configOf(rloo), facts);
  const tokens = 1024 * 2048;
  // 3.5 forwards of 16 bytes and a backward of 20, over 2,187 positions for 2,048 tokens; counted: 81.2 and 27.5.
  expect(up / tokens).toBeCloseTo(81.2, 0);
  expect(down / tokens).toBeCloseTo(27.5, 0);
});

test("weights, losses, epochs and a local reference show in it", () => {
  const up = (ppo: object, engine?: object) => planTinker(configOf({ ...rloo, ...ppo }, engine), facts).up;
  const position = 1024 * (140 + 2048 - 1);
  expect(up({}, { backend: "skyrl-jax" }) - up({})).toBe(4 * position);
  expect(up({}) - up({}, { reference: { kind: "embedded" } })).toBe(16 * position);
  const grpo = { algorithm: "grpo", responsesPerPrompt: 8 };
  // A second epoch: a forward, a backward, and the other half of the pass after the last step.
  expect(up({ ...grpo, epochs: 2 }) - up({ ...grpo, epochs: 1 })).toBe((16 + 20 + 8) * position);
  expect(planTinker(configOf({ sequences: 2048, ...rloo }), facts).memory).toBeGreaterThan(
    planTinker(configOf(rloo), facts).memory,
  );
});

test("models on this machine count by the plan of their engine, without those of the server", () => {
  const folder = temporaryFolder();
  const sizes = { family: "gpt2", layers: 4, width: 256, heads: 4, context: 4096, tieEmbeddings: true } as const;
  writeModelConfig(folder, { config: { ...sizes, vocabularySize: 5000 }, heads: ["lm"] });
  const held = (engine: object, ppo: object = {}) => {
    const rest = { model: { path: folder }, lora: { rank: 8 } };
    const planned = planTinker(configOf({ critic: folder, ...ppo }, engine, rest), facts);
    expect(planned.memory).toBe(planned.held.reduce((sum, { bytes }) => sum + bytes, 0));
    return planned.held;
  };
  expect(held({})).toHaveLength(1);
  for (const kind of ["embedded", "torch"]) {
    const lines = held({ critic: { kind } });
    const of = (what: string) => lines.find((line) => line.what === what)?.bytes;
    // Twelve matrices a layer of width squared, and the embeddings.
    expect(of("critic: frozen weights")! / (4 * (4 * 12 * 256 ** 2 + (5000 + 4096) * 256))).toBeCloseTo(1, 1);
    expect(of("critic: Adam's moments")).toBe(2 * of("critic: gradients")!);
    expect(lines.slice(1).filter(({ what }) => !what.startsWith("critic") || /policy|generation/.test(what))).toEqual(
      [],
    );
    const both = held({ critic: { kind }, reference: { kind } });
    expect(both.find(({ what }) => what === "reference")?.bytes).toBeCloseTo(of("critic: frozen weights")!, -5);
  }
  expect(held({ critic: { kind: "embedded" } }, { algorithm: "rloo", responsesPerPrompt: 8 })).toHaveLength(2);
});

test("seconds are said only of what was measured", () => {
  expect(planTinker(configOf(rloo), facts).seconds).toBeCloseTo(5.45, 1);
  expect(planTinker(configOf({}), facts).seconds).toBe(null);
});

test("each call is at least a request, and a large one as many as the limits make", () => {
  const requests = (ppo: object) => planTinker(configOf({ ...rloo, ...ppo }), facts).requests;
  // Two groups and a sampler; policy, reference and its probe; a loss, a gradient and a step each; half of the minibatches after them; the kept state.
  expect(requests({ sequences: 16, minibatches: 2 })).toBe(3 + 2 + 3 + 2 * 3 + 1 + 1);
  // 142 sequences of 16 bytes a position, or 114 of 20, in 5 MB.
  expect(requests({})).toBe(129 + 4 * 2 + 4 * 2 + 1 + 4 * (2 + 3 + 1) + 2 * 2 + 1);
});
