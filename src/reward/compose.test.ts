import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, ForwardRequest, SampleRequest } from "../engine/engine.ts";
import { createReward, learnedComponents } from "./compose.ts";
import type { Scored } from "./reward-types.ts";

/** Scores a sequence by the sum of its scored tokens; samples two tokens that depend on the prompt's stream. */
function fakeEngine(): { engine: Engine; forwards: ForwardRequest[]; samples: SampleRequest[] } {
  const forwards: ForwardRequest[] = [];
  const samples: SampleRequest[] = [];
  const engine = {
    async forward(_: string, request: ForwardRequest) {
      forwards.push(request);
      return { scores: request.sequences.map(({ tokens, start }) => tokens.slice(start).reduce((a, b) => a + b, 0)) };
    },
    async sample(_: string, request: SampleRequest) {
      samples.push(request);
      return {
        tokens: request.streams!.map((stream) => [stream % 5, 0]),
        logprobs: request.prompts.map(() => [0, 0]),
        stopReasons: request.prompts.map(() => "stop" as const),
      };
    },
  };
  return { engine: engine as unknown as Engine, forwards, samples };
}

function row({
  promptTokens = [1],
  tokens = [2, 0],
  response = "yes",
  reference = null,
}: Partial<Scored> = {}): Scored {
  return {
    prompt: "why ?",
    messages: [{ role: "user", content: "why ?" }],
    promptTokens,
    tokens,
    response,
    reference,
    stopReason: "stop",
  };
}

const normalisation = { mean: 3, standardDeviation: 2, samples: 9, trainingP1: 2, trainingP99: 8 };

const scaleOf = (mean: number, standardDeviation: number) => ({ samples: 3, mean, standardDeviation });

describe("the learned model", () => {
  it("gives normalised scores in order, asked of the engine in one call", async () => {
    const { engine, forwards } = fakeEngine();
    const reward = createReward({
      components: [{ kind: "model", weight: 1 }],
      engine,
      models: { model: { model: "m", normalisation } },
      microBatch: 2,
    });
    const rows = [
      [5, 0],
      [1, 1, 1, 0],
      [9, 0],
      [2, 2, 0],
      [1, 0],
    ].map((tokens) => row({ tokens }));
    const { score, components, outsideTraining, warnings } = await reward.score(rows);
    expect(score).toEqual([1, 0, 3, 0.5, -1]);
    expect(components).toEqual({ model: score });
    expect(outsideTraining).toEqual({ model: 2 / 5 });
    expect(warnings).toEqual([]);
    expect(forwards.map(({ sequences }) => sequences.map(({ tokens }) => tokens.length))).toEqual([[3, 5, 3, 4, 3]]);
    expect(forwards.every(({ outputs }) => String(outputs) === "score")).toBe(true);
    expect(forwards[0]!.sequences[1]).toEqual({ tokens: [1, 1, 1, 1, 0], start: 1 });
  });

  it("chooses the passes itself for a microBatch of 0, for a baseline too", async () => {
    for (const kind of ["model", "comparison"] as const) {
      const options = {
        components: [{ kind, weight: 1 }],
        models: { [kind]: { model: "m", normalisation: null } },
        baseline: { reference: "r", maxNewTokens: 2, stopTokens: [0], temperature: 1, seed: 1 },
      };
      const rows = [
        [5, 0],
        [1, 1, 0],
      ].map((tokens) => row({ tokens }));
      const whole = createReward({ ...options, engine: fakeEngine().engine, microBatch: 2 });
      const chosen = createReward({ ...options, engine: fakeEngine().engine, microBatch: 0 });
      expect((await chosen.score(rows)).score).toEqual((await whole.score(rows)).score);
    }
  });

  it("gives raw scores without a normalisation, and lets what is not finite through, counted", async () => {
    const { engine } = fakeEngine();
    const reward = createReward({
      components: [{ kind: "model", weight: 1 }],
      engine,
      models: { model: { model: "m", normalisation: null } },
    });
    const { score, outsideTraining, warnings } = await reward.score([row(), row({ tokens: [Number.NaN] })]);
    expect(score).toEqual([2, Number.NaN]);
    expect(outsideTraining).toEqual({});
    expect(warnings).toEqual(["1 of 2 scores are not finite"]);
  });

  it("is needed by name", () => {
    const { engine } = fakeEngine();
    expect(() => createReward({ components: [{ kind: "model", name: "judge", weight: 1 }], engine })).toThrow(
      "the component judge has no reward model",
    );
    expect(
      learnedComponents([
        { kind: "model", weight: 1 },
        { kind: "exact", weight: 1 },
        { kind: "comparison", name: "better", weight: 1, path: "x" },
      ]),
    ).toEqual([
      { name: "model", path: undefined },
      { name: "better", path: "x" },
    ]);
  });
});

describe("comparison", () => {
  const baseline = { reference: "ref", maxNewTokens: 7, stopTokens: [0], temperature: 0.5, seed: 3 };
  const options = {
    components: [{ kind: "comparison", weight: 1 } as const],
    models: { comparison: { model: "m", normalisation } },
    baseline,
  };

  it("subtracts the score of one baseline response a prompt", async () => {
    const { engine, samples } = fakeEngine();
    const reward = createReward({ ...options, engine });
    const rows = [
      row({ promptTokens: [1, 2], tokens: [8, 0] }),
      row({ promptTokens: [3] }),
      row({ promptTokens: [1, 2], tokens: [4, 0] }),
    ];
    const { score } = await reward.score(rows);
    expect(samples).toHaveLength(1);
    expect(samples[0]).toMatchObject({
      prompts: [[1, 2], [3]],
      seed: 3,
      maxNewTokens: 7,
      stopTokens: [0],
      temperature: 0.5,
      topK: 0,
      topP: 1,
    });
    const [first, second] = samples[0]!.streams!.map((stream) => stream % 5);
    expect(score).toEqual([(8 - first!) / 2, (2 - second!) / 2, (4 - first!) / 2]);
  });

  it("gives a prompt the same baseline in any company", async () => {
    const streamsOf = async (prompts: number[][], microBatch: number) => {
      const { engine, samples } = fakeEngine();
      const reward = createReward({ ...options, engine, microBatch });
      await reward.score(prompts.map((promptTokens) => row({ promptTokens })));
      return new Map(
        samples.flatMap(({ prompts, streams }) => prompts.map((prompt, i) => [String(prompt), streams![i]])),
      );
    };
    const some = await streamsOf([[1], [2], [3]], 2);
    const others = await streamsOf([[3], [4], [1]], 64);
    expect(others.get("1")).toBe(some.get("1"));
    expect(others.get("3")).toBe(some.get("3"));
    expect(new Set(some.values()).size).toBe(3);
  });
});

describe("composition", () => {
  const { engine } = fakeEngine();

  it("adds up weighted components and keeps each by name", async () => {
    const reward = createReward({
      engine,
      components: [
        { kind: "exact", weight: 2 },
        { kind: "length", name: "short", weight: 0.5, min: 0, max: 1, slack: 0 },
        { kind: "pattern", weight: 0, pattern: "y", flags: "" },
        { kind: "safety", weight: 10 },
        { kind: "last_number", weight: 1, marker: "####", requireMarker: false },
        { kind: "repetition", weight: 1, n: 1 },
      ],
      safety: { categories: { shouting: ["hey"] } },
    });
    const rows = [
      row({ response: "Hey 5", reference: "5" }),
      row({ response: "5", reference: "5", tokens: [3, 3, 0] }),
    ];
    const { score, components, safety } = await reward.score(rows);
    expect(components).toEqual({
      exact: [0, 1],
      short: [1, 0],
      pattern: [1, 0],
      safety: [-1, 0],
      last_number: [1, 1],
      repetition: [0, -0.5],
    });
    expect(score).toEqual([0.5 - 10 + 1, 2 + 1 - 0.5]);
    expect(safety).toMatchObject({ shouting: [true, false], weapons: [false, false] });
    expect(reward.hash).toBe("");
  });

  it("keeps a component of weight 0 out of the score, even one that is not a number", async () => {
    const reward = createReward({
      engine,
      components: [
        { kind: "model", weight: 0 },
        { kind: "exact", weight: 1 },
      ],
      models: { model: { model: "m", normalisation: null } },
    });
    const { score, components } = await reward.score([row({ tokens: [Number.NaN], reference: "yes" })]);
    expect(components.model).toEqual([Number.NaN]);
    expect(score).toEqual([1]);
  });

  it("says when all scores are equal", async () => {
    const reward = createReward({ engine, components: [{ kind: "exact", weight: 3 }] });
    const { warnings } = await reward.score([row({ reference: "no" }), row({ reference: "no" })]);
    expect(warnings).toEqual([
      "all 2 scores are equal (0): PPO cannot tell one response from another; look at the samples and the reward",
    ]);
    expect((await reward.score([row({ reference: "no" })])).warnings).toEqual([]);
    expect((await reward.score([row({ reference: "no" }), row({ reference: "yes" })])).warnings).toEqual([]);
  });

  it("runs a user's function, and knows its hash", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-compose-"));
    const path = join(folder, "reward.ts");
    writeFileSync(path, "export default ({ response }: { response: string }) => response.length;");
    const reward = createReward({
      engine,
      components: [{ kind: "function", name: "mine", weight: 2, path, normalise: false, timeoutMs: 5000, retries: 0 }],
    });
    try {
      await reward.ready();
      expect((await reward.score([row({ response: "abc" })])).score).toEqual([6]);
      expect(reward.hash).toMatch(/^mine=[0-9a-f]{64}$/);
      expect(reward.scaling).toBeUndefined();
    } finally {
      await reward.close();
      rmSync(folder, { recursive: true });
    }
  });

  it("normalises each function before its weight, on samples, for good; verdicts and equal scores stay as they are", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-scales-"));
    const code = {
      length: "({ response }) => 1000 * response.length + 100",
      verdict: "({ response }) => (response.length > 2 ? 1 : -1)",
      same: "() => 7",
      raw: "({ response }) => response.length",
    };
    const components = Object.entries(code).map(([name, body], i) => {
      const path = join(folder, `${name}.ts`);
      writeFileSync(path, `export default ${body};`);
      const normalise = name !== "raw";
      return { kind: "function" as const, name, weight: 10 ** i, path, normalise, timeoutMs: 5000, retries: 0 };
    });
    const samples = ["a", "bb", "ccc"].map((response) => row({ response }));
    const reward = createReward({ engine, components });
    const rest = createReward({ engine, components, scales: { length: { ...scaleOf(0, 2), left: null } } });
    try {
      expect(reward.scaling!.scales).toBeNull();
      expect((await reward.score(samples)).components.length).toEqual([1100, 2100, 3100]);
      const scales = await reward.scaling!.scaleOn(samples);
      const deviation = 1000 * Math.sqrt(2 / 3);
      expect(scales).toEqual({
        length: { ...scaleOf(2100, expect.closeTo(deviation, 9)), left: null },
        verdict: { ...scaleOf(expect.closeTo(-1 / 3, 12), expect.closeTo(Math.sqrt(8) / 3, 12)), left: "verdicts" },
        same: { ...scaleOf(7, 0), left: "constant" },
      });
      const { components: scored, score } = await reward.score([row({ response: "dddd" }), ...samples]);
      expect(scored.length![0]).toBeCloseTo(2000 / deviation, 12);
      expect([scored.verdict, scored.same, scored.raw]).toEqual([
        [1, -1, -1, 1],
        [7, 7, 7, 7],
        [4, 1, 2, 3],
      ]);
      expect(score[0]).toBeCloseTo(2000 / deviation + 10 + 700 + 4000, 9);
      // A resumed run has the scales of its first iteration.
      expect((await rest.score(samples)).components.length).toEqual([550, 1050, 1550]);
    } finally {
      await reward.close();
      await rest.close();
      rmSync(folder, { recursive: true });
    }
  });

  it("adds a function's steps to the score, with its weight, and says where they end; never normalised", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-compose-"));
    const path = join(folder, "steps.mjs");
    writeFileSync(
      path,
      "export default ({ response }) => response === 'no' ? 0 : { steps: [{ end: 2, reward: 1 }, { end: 5, reward: 3 }] };",
    );
    const steps = { kind: "function" as const, name: "steps", weight: 2, path, timeoutMs: 5000, retries: 0 };
    const watched = { ...steps, name: "watched", weight: 0, normalise: false };
    const length = { kind: "length" as const, weight: 1, min: 0, max: 9, slack: 0 };
    const { engine } = fakeEngine();
    const rows = [row({ response: "7 + 5" }), row({ response: "no" })];
    const reward = createReward({ components: [{ ...steps, normalise: false }, watched, length], engine });
    const scores = await reward.score(rows);
    expect(scores.score).toEqual([9, 1]);
    expect(scores.components.steps).toEqual([4, 0]);
    expect(scores.steps).toEqual([
      [
        { end: 2, reward: 2 },
        { end: 5, reward: 6 },
      ],
      [],
    ]);
    expect((await createReward({ components: [length], engine }).score(rows)).steps).toBeUndefined();
    await reward.close();
    const scaled = createReward({ components: [{ ...steps, normalise: true }], engine });
    await expect(scaled.score(rows)).rejects.toThrow(/returned steps, and its component has normalise: true/);
    await scaled.close();
    rmSync(folder, { recursive: true });
  });

  it("rewards each right running result of the example's chains where it ends", async () => {
    const steps = {
      kind: "function" as const,
      name: "steps",
      weight: 1,
      normalise: false,
      timeoutMs: 5000,
      retries: 0,
    };
    const { engine } = fakeEngine();
    const reward = createReward({ components: [{ ...steps, path: "examples/arithmetic/steps.ts" }], engine });
    // 7 + 5 + 3 + 4: 2, 5, 9.
    const prompt = "7 + 5 + 3 + 4 . .";
    const responses = ["= 2 = 5 = 9", "= 2 = 6 = 9 = 1", "", "5 = 5"];
    const scores = await reward.score(responses.map((response) => ({ ...row({ response }), prompt })));
    await reward.close();
    expect(scores.score.map((score) => Math.round(3 * score))).toEqual([3, 2, 0, 0]);
    expect(scores.steps!.map((steps) => steps.map(({ end, reward }) => [end, Math.round(3 * reward)]))).toEqual([
      [
        [3, 1],
        [7, 1],
        [11, 1],
      ],
      [
        [3, 1],
        [7, 0],
        [11, 1],
      ],
      [],
      [[5, 0]],
    ]);
  });

  it("gives a user's function every column of the row, none of which hides what it had", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ballast-columns-"));
    const path = join(folder, "reward.ts");
    writeFileSync(path, "export default (given: unknown) => { throw new Error(JSON.stringify(given)); };");
    const given = async (scored: Partial<Scored>): Promise<unknown> => {
      const reward = createReward({
        engine,
        components: [{ kind: "function", weight: 1, path, normalise: false, timeoutMs: 5000, retries: 0 }],
      });
      const error = await reward.score([{ ...row(), ...scored }]).catch((reason: Error) => reason);
      await reward.close();
      return JSON.parse(/Error: (\{.*\})/.exec((error as Error).message)![1]!);
    };
    const base = { prompt: "why ?", response: "yes", messages: [{ role: "user", content: "why ?" }] };
    try {
      const columns = {
        prompt: "raw",
        response: "old",
        row: 1,
        messages: null,
        tests: ["a"],
        difficulty: 3,
        reference: 5,
      };
      expect(await given({ columns, reference: "5.0" })).toEqual({
        ...base,
        ...{ reference: "5.0", tests: ["a"], difficulty: 3, row: columns },
      });
      const structured = { reference: { target: 1, style: "rule" } };
      expect(await given({ columns: structured })).toEqual({ ...base, ...structured, row: structured });
      expect(await given({})).toEqual({ ...base, reference: null, row: {} });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
