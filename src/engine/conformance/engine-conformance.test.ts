/** The engines of this package, and the tests' own, do what every engine must. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BigramEngine } from "../../../test/support/bigram-engine.ts";
import { smallConfig } from "../../../test/support/engine.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import type { Engine } from "../engine.ts";
import { openEngine } from "../open-engine.ts";
import { checkEngine, checks, lackedBy } from "./engine-conformance.ts";

const float32 = { tolerance: 1e-5, config: smallConfig, folder: temporaryFolder };
const llama = {
  ...float32,
  config: { ...smallConfig, family: "llama", kvHeads: 1, headDim: 6, innerWidth: 20, tieEmbeddings: false },
};
const float64 = { tolerance: 1e-12, config: { ...smallConfig, tieEmbeddings: false }, folder: temporaryFolder };

describe.each([
  ["embedded", () => openEngine({ threads: 2 }), float32],
  ["embedded, with a Llama", () => openEngine({ threads: 2 }), llama],
  ["two embedded as one", () => openEngine({ critic: { kind: "embedded" }, threads: 1 }), float32],
  ["bigram", async () => new BigramEngine(), float64],
  ["bigram with URIs", async () => Object.assign(new BigramEngine(), { states: new Map() }), float64],
] as const)("the engine %s", (_, open, expectations) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.close());
  test.each(checks)("$name", async ({ run, needs }) => {
    const lacked = lackedBy((await engine.info()).capabilities, needs);
    if (lacked.length === 0) await run(engine, expectations);
    else expect([engine, lacked]).toEqual([expect.any(BigramEngine), ["adapters"]]);
  });
});

test("a check that an engine fails is told, and one whose capability it lacks is left out", async () => {
  const engine = new BigramEngine();
  engine.capabilities = { ...engine.capabilities, top1: false };
  engine.distort = (result) => ({ ...result, loss: result.loss + 1e-3 });
  const results = await checkEngine(engine, float64);
  const of = (outcome: string) => results.filter((result) => result.outcome === outcome).map(({ name }) => name);
  expect(of("left out")).toEqual([
    "an adapter starts as its base, learns beside it, goes on where it was saved, and merges into the same",
    "the most likely token is what greedy sampling takes",
  ]);
  expect(of("failed")).toContain("losses are the weighted sums of their terms");
  expect(of("failed")).not.toContain("a slow average moves by its decay");
  expect(results).toHaveLength(checks.length);
});
