/** The plan of what crosses the wire, against the sums of docs/scale.md and the bytes that the benchmark counted. */
import { expect, test } from "vitest";
import { configSchema } from "../settings/config-schema.ts";
import { planTinker } from "./tinker-plan.ts";

const configOf = (ppo: object, engine: object = {}) =>
  configSchema.parse({
    engine: { kind: "tinker", url: "http://127.0.0.1:1", model: "m", backend: "hosted", ...engine },
    model: { path: "m" },
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
