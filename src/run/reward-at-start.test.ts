import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import { checkRunFiles } from "../config/run-manifest.ts";
import { configSchema } from "../settings/config-schema.ts";
import type { RunOptions } from "./pipeline.ts";
import { runPipeline } from "./pipeline.ts";

const letters = '([...response].filter((letter) => "aeiou".includes(letter)).length)';

interface Run {
  readonly world?: World;
  readonly body?: string;
  readonly normalise?: boolean;
  readonly ppo?: object;
  readonly explain?: Record<string, string>;
  readonly options?: Partial<RunOptions>;
  readonly prepare?: (engine: BigramEngine) => void;
}

async function run({ world = newWorld(), body = letters, normalise = true, ppo, explain = {}, ...more }: Run = {}) {
  const path = join(world.folder, "reward.ts");
  writeFileSync(path, `export default ({ response }: { response: string }) => ${body};\n`);
  const data = join(world.folder, "prompts.jsonl");
  const words = ["red", "green", "blue", "grey", "white", "black", "olive", "amber"];
  writeFileSync(data, words.map((word) => `${JSON.stringify({ prompt: `say ${word}` })}\n`).join(""));
  const config = configSchema.parse({
    objective: "when asked, prefer vowels over others",
    seed: 3,
    tokenizer: { kind: "word", vocabularySize: 40 },
    model: { context: 24 },
    ppo: {
      prompts: { path: data },
      ...{ iterations: 2, sequences: 16, maxNewTokens: 5, learningRate: 0.01, epochs: 1, evaluationShare: 0 },
      rewards: [{ kind: "function", name: "vowels", path, normalise }],
      ...ppo,
    },
    control: { interventions: "off", probes: { every: 0 }, noise: { every: 0 }, robustness: { every: 0 } },
    evaluation: { samples: 16 },
    doctor: { explain },
  });
  const engine = new BigramEngine();
  more.prepare?.(engine);
  const options = { config, folder: world.folder, recorder: world.store.recorder(), engine, resume: false };
  const result = await runPipeline({ ...options, onProgress: () => {}, interrupted: () => false, ...more.options });
  return { world, result, curve: world.store.curve("ppo") };
}

const said = ({ world }: { world: World }, kind: "note" | "warning") =>
  world.store.messages(kind).filter((text) => /reward|score|samples/.test(text));
const untimed = ({ curve }: Awaited<ReturnType<typeof run>>) =>
  [...curve].map(([i, row]) => [i, Object.entries(row).filter(([key]) => !/^(time|machine)\//.test(key))]);

describe("a reward function at the start of a run", () => {
  it("is normalised by 64 samples of the starting policy, for good: resumed, the run has the same bits", async () => {
    const whole = await run({ body: `1000 * ${letters} + 100` });
    const scales = JSON.parse(readFileSync(join(whole.world.folder, "reward-scales.json"), "utf8"));
    const { mean, standardDeviation } = scales.vowels;
    expect(scales.vowels).toMatchObject({ samples: 64, left: null });
    expect(said(whole, "note").join("\n")).toMatch(
      /^the reward vowels is normalised on 64 samples .*\(score - \d+\) \/ \d+, from now on/m,
    );
    expect(said(whole, "note").join()).toMatch(/standard deviation of .* \(reward\/scale\)/);
    const first = whole.curve.get(0)!;
    const raw = await run({ body: `1000 * ${letters} + 100`, normalise: false });
    const before = raw.curve.get(0)!["reward/component/vowels_mean"]!;
    expect(first["reward/component/vowels_mean"]).toBeCloseTo((before - mean) / standardDeviation, 9);
    expect(said(raw, "warning").join()).toMatch(/beyond ppo.scoreClip.*\(reward\/scale\)/);
    expect(existsSync(join(raw.world.folder, "reward-scales.json"))).toBe(false);
    // The evaluation is on the same scale.
    expect(Math.abs(whole.result.evaluation!.before!.figures.reward!.mean)).toBeLessThan(2);

    const world = newWorld();
    const body = `1000 * ${letters} + 100`;
    expect(await wasKilled(run({ world, body, prepare: killedAt(20) }))).toBe(true);
    const resumed = await run({ world, body, options: { resume: true } });
    expect(untimed(resumed)).toEqual(untimed(whole));

    writeFileSync(join(world.folder, "reward-scales.json"), "{}");
    await expect(checkRunFiles(world.folder)).rejects.toThrow(/reward-scales\.json/);
  });

  it("is told what is wrong with it, and the run goes on; explained findings and rewardSamples: 0 are silent", async () => {
    const constant = await run({ body: "100" });
    expect(said(constant, "note").join("\n")).toMatch(/vowels is 100 on 64 samples .* without any spread/);
    expect(said(constant, "warning").join()).toMatch(/all 64 samples .* same score, 100.*\(reward\/constant\)/);
    expect(constant.curve.get(1)).toHaveProperty("policy/loss");
    const explained = await run({ body: "100", explain: { "reward/constant": "a trial", "reward/scale": "a trial" } });
    expect(said(explained, "warning").join()).not.toMatch(/reward\/(constant|scale)/);
    const silent = await run({ body: "100", ppo: { rewardSamples: 0 } });
    expect([...said(silent, "warning"), ...said(silent, "note")].join()).not.toMatch(/\(reward\/(?!one_component)/);
    const verdict = await run({ body: "(response.length > 12 ? 1 : 0)" });
    expect(said(verdict, "note").join("\n")).toMatch(/vowels gives two verdicts on 64 samples/);
    expect(verdict.curve.get(0)!["reward/component/vowels_p95"]).toBe(1);
  });
});
