import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { word } from "../../test/support/run-ppo.ts";
import { newWorld, prompts, rewardOf, sizes, startFolder, tokenizer, type World } from "../../test/support/stage.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";

/** A model that says "a" more often than its source. */
async function inclined(world: World, bias: number): Promise<string> {
  const engine = new BigramEngine();
  const { id } = await engine.loadModel(await startFolder(world));
  const { W } = engine.models.get(id)!.weights;
  const V = sizes.vocabularySize;
  for (let before = 0; before < V; before++) W![before * V + word("a")]! += bias;
  const folder = join(world.folder, `bias-${bias}`);
  mkdirSync(folder, { recursive: true });
  await engine.saveModel(id, folder);
  return folder;
}

async function options(world: World, more: Partial<EvaluateOptions> = {}): Promise<EvaluateOptions> {
  const before = await startFolder(world);
  return {
    engine: new BigramEngine(),
    tokenizer,
    objective: "say a",
    before,
    after: await inclined(world, 3),
    reference: before,
    prompts: prompts("b", "c", "d").map((prompt, i) => ({
      ...prompt,
      row: { ...prompt.row, kind: ["even", "odd"][i % 2]! },
    })),
    samples: 90,
    maxNewTokens: 6,
    temperature: 1,
    seed: 4,
    openReward: async () => rewardOf(({ tokens }) => tokens.filter((token) => token === word("a")).length),
    check: async ({ prompts: asked, texts }) =>
      texts.map(
        (response, k): Record<string, boolean> =>
          asked[k]!.row.kind === "even" ? { says: response.includes("a") } : { silent: response === "" },
      ),
    onProgress: () => {},
    ...more,
  };
}

describe("an evaluation", () => {
  it("compares two models on the same prompts and streams", async () => {
    const { before, after, differences, shares } = await evaluate(await options(newWorld()));
    expect(new Set(shares)).toEqual(new Set(["says", "silent"]));
    // Prompts b, c, d in turn: two of three are even.
    expect(after.figures.says!.n).toBe(60);
    expect(after.figures.silent!.n).toBe(30);
    expect(after.figures.says!.mean).toBeGreaterThan(before!.figures.says!.mean);
    expect(after.figures.says!.low).toBeLessThan(after.figures.says!.mean);
    expect(after.figures.says!.greedy).toBe(1);
    expect(differences.says!.difference).toBeCloseTo(after.figures.says!.mean - before!.figures.says!.mean, 12);
    expect(differences.reward!.low).toBeGreaterThan(0);
    expect(after.figures.klK1Sequence!.mean).toBeGreaterThan(1);
    expect(before!.figures.klK3Token).toMatchObject({ mean: 0, low: 0, high: 0 });
  });

  it("counts the prompts that differ, and no repeat as news", async () => {
    const world = newWorld();
    const { distinctPrompts, after, differences } = await evaluate(await options(world));
    expect(distinctPrompts).toBe(3);
    expect([after.figures.says!.distinctPrompts, after.figures.silent!.distinctPrompts]).toEqual([2, 1]);
    // Temperature 0 answers every repetition alike: thirty copies of three answers have no more information than the three.
    const greedy = { temperature: 0, check: null };
    const many = await evaluate(await options(world, { ...greedy, samples: 90 }));
    const few = await evaluate(await options(world, { ...greedy, samples: 3 }));
    for (const name of ["reward", "length"]) {
      expect(many.after.figures[name]!.high).toBeCloseTo(few.after.figures[name]!.high, 9);
      expect(many.differences[name]!.low).toBeCloseTo(few.differences[name]!.low, 9);
    }
    expect(differences.silent!.low).toBeNaN();
  });

  it("of a model against itself finds no difference at all", async () => {
    const world = newWorld();
    const all = await options(world);
    const { differences } = await evaluate({ ...all, after: all.before! });
    for (const [name, { difference }] of Object.entries(differences)) expect(difference, name).toBe(0);
  });

  it("leaves out what it was not given the means to measure", async () => {
    const world = newWorld();
    const more = { before: null, reference: null, openReward: null, check: null };
    const { before, after, differences, transcripts } = await evaluate(await options(world, more));
    expect(before).toBeNull();
    expect(differences).toEqual({});
    expect(Object.keys(after.figures).sort()).toEqual(["entropy", "length"]);
    expect(transcripts.every((transcript) => transcript.before === null)).toBe(true);
  });

  it("gives an interval per token that holds the truth about as often as it says", async () => {
    const world = newWorld();
    const all = await options(world, { before: null, check: null, openReward: null });
    const truth = (await evaluate({ ...all, samples: 6000, seed: 999 })).after.figures.klK3Token!.mean;
    let held = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { low, high } = (await evaluate({ ...all, samples: 60, seed })).after.figures.klK3Token!;
      if (low <= truth && truth <= high) held++;
    }
    expect(held).toBeGreaterThan(50);
  });

  it("shows prompts of each kind in turn, always the same", async () => {
    const world = newWorld();
    const { transcripts } = await evaluate(await options(world));
    expect(transcripts.map(({ kind }) => kind)).toEqual(["even", "odd", "even", "odd", "even", "odd"]);
    expect((await evaluate(await options(world))).transcripts).toEqual(transcripts);
  });
});
