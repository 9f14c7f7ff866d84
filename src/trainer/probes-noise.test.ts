import { describe, expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { drawsOf } from "./probes-noise.ts";

describe("how a step is cut", () => {
  it.each([
    [512, 8, 64, 8],
    [512, 8, 16, 32],
    [12, 8, 64, 6],
    [127, 8, 64, 127],
    [6, 8, 64, 6],
    [2, 8, 64, 2],
  ])("%i sequences, %i wanted, at most %i a pass: %i", (sequences, wanted, limit, draws) => {
    // The slow way: every number of parts, choosing the one whose ratio to the wanted size is nearest to 1.
    let best = 0;
    for (let n = 2; n <= sequences; n++) {
      if (sequences % n !== 0 || sequences / n > limit) continue;
      const ratio = (x: number) => Math.max(x / wanted, wanted / x);
      if (best === 0 || ratio(n) <= ratio(best) + 1e-12) best = n;
    }
    expect(drawsOf(sequences, { wanted, limit })).toBe(draws);
    expect(best).toBe(draws);
  });

  it("a single sequence is not", () => {
    expect(drawsOf(1, { wanted: 8, limit: 64 })).toBeNull();
  });
});

describe("the noise of a run", () => {
  const control = (microBatches: number) => ({ noise: { every: 1, microBatches } });
  const ppo = { iterations: 1, sequences: 16, minibatches: 1, epochs: 1 };
  const passesOf = async (options: object) => {
    const passes: number[] = [];
    let copy = "";
    const prepare = (engine: BigramEngine) => {
      const clone = engine.cloneModel.bind(engine);
      engine.cloneModel = async (id, request) => {
        const info = await clone(id, request);
        copy = info.id;
        return info;
      };
      engine.before = (verb, [id, loss]) => {
        if (verb === "forwardBackward" && id === copy) passes.push((loss as { sequences: [] }).sequences.length);
      };
    };
    const { curve, context } = await runPpo({ prepare, ...options });
    return { passes, values: curve.get(0)!, models: context.engine.models.size };
  };

  it("is measured on micro-batches of one size, which no one keeps", async () => {
    const { passes, values, models } = await passesOf({ ppo, control: control(4) });
    expect(passes).toEqual([4, 4, 4, 4]);
    expect(values).toMatchObject({ "gradient/draws": 4, "gradient/draw_sequences": 4 });
    expect(models).toBe(0);
    const draws = values["gradient/noise_trace"]! / 4;
    // W of the bigram engine: a row and a column for each token.
    const parameters = values["gradient/noise_trace"]! / 16 / values["gradient/variance_of_mean"]!;
    expect(Math.sqrt(parameters) % 1).toBeCloseTo(0, 6);
    expect(values["gradient/draw_variance"]).toBeCloseTo(draws / parameters, 12);
  });

  it("does not depend on how token weights are scaled: a mean is a mean", async () => {
    // Responses of one token, for which both aggregations weigh alike.
    const one = { ...ppo, maxNewTokens: 1 };
    const tokens = await passesOf({ ppo: one, control: control(4) });
    const sequences = await passesOf({ ppo: { ...one, aggregation: "sequence-mean" }, control: control(4) });
    expect(tokens.values["gradient/noise_trace"]).toBeCloseTo(sequences.values["gradient/noise_trace"]!, 12);
  });

  it("takes each part of the step's gradient times their number, whatever tokens the part has", async () => {
    const parts: number[] = [];
    let whole = 0;
    const tokens = new Set<number>();
    const prepare = (engine: BigramEngine) => {
      const clone = engine.cloneModel.bind(engine);
      engine.cloneModel = async (id, request) => {
        const copy = await clone(id, request);
        const [pass, step] = [engine.pass.bind(engine), engine.optimStep.bind(engine)];
        engine.pass = async (model, loss) => {
          const result = await pass(model, loss);
          if (model !== copy.id || loss.name !== "policy") return result;
          parts.push(result.gradSquaredNorm);
          tokens.add(loss.sequences.reduce((sum, sequence) => sum + sequence.tokens.length - sequence.start, 0));
          return result;
        };
        engine.optimStep = async (model, options) => {
          const result = await step(model, options);
          if (model === copy.id && options.learningRate === 0) whole = result.gradNorm! ** 2;
          return result;
        };
        return copy;
      };
    };
    const { values } = await passesOf({ ppo, control: control(8), prepare });
    expect(parts).toHaveLength(8);
    expect(tokens.size).toBeGreaterThan(1);
    const squares = parts.map((part) => 8 ** 2 * part);
    const noise = (squares.reduce((a, b) => a + b, 0) / 8 - whole) / (1 / 2 - 1 / 16);
    expect(values["gradient/noise_trace"]! / noise).toBeCloseTo(1, 9);
  });

  it("is none if every sequence is the same", async () => {
    const settings = { topK: 1, allowTruncatedSampling: true, whitenAdvantages: false };
    const { values } = await passesOf({
      ppo: { ...ppo, ...settings },
      control: control(4),
      texts: ["b"],
      score: () => 1,
    });
    expect(values["gradient/noise_signal"]).toBeGreaterThan(1e-3);
    expect(values["gradient/noise_scale_to_step"]).toBe(values["gradient/noise_scale"]! / 16);
    expect(values["gradient/noise_trace"]! / values["gradient/noise_signal"]!).toBeCloseTo(0, 9);
  });

  it("takes the guide's ten draws of 64 if the rollout has them", async () => {
    const { passes, values } = await passesOf({
      ppo: { ...ppo, sequences: 640, minibatches: 5, maxNewTokens: 2 },
      control: control(8),
    });
    expect(passes).toEqual([...Array(8).fill(16), ...Array(10).fill(64)]);
    expect(values).toMatchObject({ "gradient/draws": 10, "gradient/draw_sequences": 64 });
  });
});
