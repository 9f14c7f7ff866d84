import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { killedAt, wasKilled } from "../../test/support/killed.ts";
import { newWorld, sizes, temporaryFolder, type World } from "../../test/support/stage.ts";
import { configSchema } from "../settings/config-schema.ts";
import { buildTokenizer, loadTokenizer } from "../text/index.ts";
import { prepareRows } from "../trainer/encoded-rows.ts";
import { evaluateRun } from "../trainer/evaluate-run.ts";
import { generate } from "../trainer/generate.ts";
import { saveModelFolder, stateOf } from "../trainer/model-folder.ts";
import { checkRows } from "../trainer/run-rows.ts";
import { Interrupted } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { RunOptions } from "./pipeline.ts";
import { runPipeline } from "./pipeline.ts";

/** The user's own files: a few rows of each kind. */
function writeData(world: World): { sft: string; pairs: string; prompts: string } {
  const folder = join(world.folder, "data");
  mkdirSync(folder, { recursive: true });
  const write = (name: string, rows: object[]) => {
    const path = join(folder, name);
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return path;
  };
  const words = ["red", "green", "blue", "grey"];
  const each = <T>(make: (word: string, i: number) => T) => [...words, ...words].map(make);
  return {
    sft: write(
      "sft.jsonl",
      each((word, i) => ({ prompt: `say ${word} ${i}`, completion: i % 2 ? `yes ${word}` : `no ${word}` })),
    ),
    pairs: write(
      "pairs.jsonl",
      each((word, i) => ({ prompt: `say ${word} ${i}`, chosen: `yes ${word}`, rejected: `no ${word}` })),
    ),
    prompts: write(
      "prompts.jsonl",
      each((word) => ({ prompt: `say ${word}`, reference: word })),
    ),
  };
}

const steps = { schedule: "constant", warmup: 0, checkpointEvery: 4 };

function configOf(world: World, changes: Record<string, unknown> = {}) {
  const data = writeData(world);
  return configSchema.parse({
    objective: "say yes",
    seed: 3,
    tokenizer: { kind: "word", vocabularySize: 40 },
    model: { context: 24 },
    sft: { data: { path: data.sft }, steps: 12, batchSize: 4, learningRate: 0.05, evaluationShare: 0.25, ...steps },
    reward: {
      data: { path: data.pairs },
      steps: 12,
      batchSize: 4,
      learningRate: 0.05,
      normalisationSamples: 16,
      ...steps,
    },
    ppo: {
      prompts: { path: data.prompts },
      iterations: 6,
      sequences: 16,
      maxNewTokens: 5,
      learningRate: 0.05,
      ...steps,
    },
    evaluation: { samples: 24 },
    ...changes,
  });
}

interface Run {
  readonly world?: World;
  readonly changes?: Record<string, unknown>;
  readonly resume?: boolean;
  readonly prepare?: (engine: BigramEngine) => void;
  readonly interrupted?: () => boolean;
  readonly onProgress?: RunOptions["onProgress"];
  /** Changes the files after they are written. */
  readonly edit?: (folder: string) => void;
  readonly allowChangedData?: boolean;
}

async function run({
  world = newWorld(),
  changes,
  resume = false,
  prepare,
  interrupted,
  onProgress,
  ...more
}: Run = {}) {
  const engine = new BigramEngine();
  prepare?.(engine);
  const config = configOf(world, changes);
  more.edit?.(join(world.folder, "data"));
  const result = await runPipeline({
    config,
    allowChangedData: more.allowChangedData,
    folder: world.folder,
    recorder: world.store.recorder(),
    engine,
    resume,
    onProgress: onProgress ?? (() => {}),
    interrupted: interrupted ?? (() => false),
  });
  return { world, engine, result, final: finals(world, engine) };
}

function finals(world: World, engine = new BigramEngine()): string[] {
  const folders = ["sft", "reward", "ppo"].map((stage) => join(world.folder, stage, "final"));
  const models = folders.map((folder) => {
    const state = stateOf(folder);
    if (state === folder) return readFileSync(join(folder, "model.safetensors"), "utf8");
    return JSON.stringify(engine.file(state, "model.safetensors"));
  });
  return [...models, readFileSync(join(world.folder, "reward", "final", "reward.json"), "utf8")];
}

const withoutFolders = (value: unknown) => JSON.stringify(value).replaceAll(/"folder":"[^"]*"/g, "");

it("an engine that keeps its models under URIs runs and resumes every stage to the bits of one on folders", async () => {
  const onFolders = await run();
  const world = newWorld();
  const states = new Map<string, string>();
  const prepare = (kill: number) => (engine: BigramEngine) => {
    engine.states = states;
    killedAt(kill)(engine);
  };
  expect(await wasKilled(run({ world, prepare: prepare(250) }))).toBe(true);
  expect(await wasKilled(run({ world, resume: true, prepare: prepare(250) }))).toBe(true);
  const { result, final } = await run({ world, resume: true, prepare: prepare(1e9) });
  for (const { folder } of result.stages) expect(states.has(stateOf(folder))).toBe(true);
  expect(final).toEqual(onFolders.final);
  expect(result.evaluation!.after.figures).toEqual(onFolders.result.evaluation!.after.figures);
});

describe("the whole of a run", () => {
  it("does not go on with other rows than it began with, unless it is told to", async () => {
    const world = newWorld();
    let left = false;
    await expect(
      run({ world, onProgress: ({ step }) => (left ||= step >= 4), interrupted: () => left }),
    ).rejects.toBeInstanceOf(Interrupted);
    const edit = (folder: string) =>
      appendFileSync(join(folder, "sft.jsonl"), '{"prompt": "say x", "completion": "no"}\n');
    await expect(run({ world, resume: true, edit })).rejects.toThrow(
      /^the data is not what the run began with: sft\.data: \S+sft\.jsonl has 9 rows: 1 appended, from line 9 on/,
    );
    await run({
      world,
      resume: true,
      edit,
      allowChangedData: true,
      changes: { reward: undefined, ppo: undefined },
    }).catch(() => {});
    expect(world.store.messages("warning")).toEqual([expect.stringContaining("1 appended")]);
  });

  it("that is made longer ends as one that was as long from the beginning, and is evaluated anew", async () => {
    const of = (world: World, iterations: number) => ({ ppo: { ...configOf(world).ppo, iterations } });
    const [short, long] = [newWorld(), newWorld()];
    const whole = await run({ world: long, changes: of(long, 9) });
    const first = await run({ world: short, changes: of(short, 6) });
    const evaluation = () => readFileSync(join(short.folder, "evaluation.json"), "utf8");
    const before = evaluation();
    const again = await run({ world: short, changes: of(short, 9), resume: true });
    expect(again.final).toEqual(whole.final);
    expect(again.final).not.toEqual(first.final);
    expect(again.result.stages.map(({ steps: done }) => done)).toEqual([12, 12, 9]);
    expect(evaluation()).not.toBe(before);
    expect(withoutFolders(again.result.evaluation?.after)).toBe(withoutFolders(whole.result.evaluation?.after));
    expect(short.store.settings.filter(({ key }) => key === "ppo.iterations")).toEqual([
      expect.objectContaining({ iteration: 0, value: 6, cause: "config" }),
      expect.objectContaining({ iteration: 6, before: 6, value: 9, cause: "operator" }),
    ]);
    // A run that ended at its length stays done.
    expect((await run({ world: short, changes: of(short, 9), resume: true })).final).toEqual(whole.final);
  });

  it("goes through its stages and evaluates what came of them", async () => {
    const { world, engine, result } = await run();
    expect(result.stages.map(({ stage, steps: done }) => [stage, done])).toEqual([
      ["sft", 12],
      ["reward", 12],
      ["ppo", 6],
    ]);
    expect(result.final).toBe(join(world.folder, "ppo", "final"));
    const { before, after, differences, seenInTraining, transcripts, shares } = result.evaluation!;
    expect(before!.folder).toBe(join(world.folder, "sft", "final"));
    expect(before!.figures.klK1Sequence!.mean).toBe(0);
    expect(after.figures.klK3Token!.mean).toBeGreaterThan(0);
    expect(after.figures.reward!.mean).toBeGreaterThan(before!.figures.reward!.mean);
    expect(differences.reward!.difference).toBeCloseTo(after.figures.reward!.mean - before!.figures.reward!.mean, 10);
    expect(after.figures.length!.n).toBe(24);
    expect(after.figures.length!.greedyN).toBe(24);
    expect(after.figures.entropy!.low).toBeLessThan(after.figures.entropy!.mean);
    expect([seenInTraining, shares, transcripts.length]).toEqual([true, [], 6]);
    expect(world.store.messages("warning").join()).toMatch(/evaluation's prompts are the training's/);
    for (const file of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
      expect(existsSync(join(result.final, file)), file).toBe(true);
    // Every model that a stage opened was released.
    expect(engine.models.size).toBe(0);
  });

  it("is the same again with the same seed, and another with another", async () => {
    const first = await run();
    const second = await run();
    expect(second.final).toEqual(first.final);
    expect(withoutFolders(second.result.evaluation)).toBe(withoutFolders(first.result.evaluation));
    expect((await run({ changes: { seed: 4 } })).final).not.toEqual(first.final);
  });

  it("takes any one stage alone, each from the one before", async () => {
    const whole = await run();
    const world = newWorld();
    const all = configOf(world);
    const alone = (folder: string, changes: object) => {
      const place = { folder: join(world.folder, folder), store: world.store };
      mkdirSync(place.folder, { recursive: true });
      return run({ world: place, changes: { sft: undefined, reward: undefined, ppo: undefined, ...changes } }).catch(
        (error: NodeJS.ErrnoException) => {
          // `run` also reads all three results, some of which do not exist.
          if (error.code !== "ENOENT") throw error;
        },
      );
    };
    const weights = (...path: string[]) => readFileSync(join(world.folder, ...path, "model.safetensors"), "utf8");
    await alone("one", { sft: all.sft });
    const tokenizer = { kind: "file", path: join(world.folder, "one/sft/final") };
    const policy = join(world.folder, "one/sft/final");
    await alone("two", { tokenizer, reward: { ...all.reward, from: policy } });
    const model = { kind: "model", weight: 1, path: join(world.folder, "two/reward/final") };
    await alone("three", { tokenizer, ppo: { ...all.ppo, policy, rewards: [model] } });
    // The words of the vocabulary are only those of the stages in the file.
    expect(loadTokenizer(tokenizer.path).vocabularySize).toBeLessThanOrEqual(
      loadTokenizer(whole.result.final).vocabularySize,
    );
    expect(weights("three/ppo/final")).not.toBe(weights("one/sft/final"));
  });

  it("starts PPO from random weights if there are no others", async () => {
    const changes = (world: World) => ({
      sft: undefined,
      reward: undefined,
      ppo: { ...configOf(world).ppo, rewards: [{ kind: "length", max: 2 }], iterations: 2 },
    });
    const world = newWorld();
    await run({ world, changes: changes(world) }).catch(() => {});
    expect(existsSync(join(world.folder, "ppo", "start", "model.safetensors"))).toBe(true);
    expect(existsSync(join(world.folder, "ppo", "final", "model.safetensors"))).toBe(true);
  });
});

describe("a run that ends early", () => {
  it.each([1, 2, 3])("killed anywhere, again and again, ends as if nothing had been (%i)", async (seed) => {
    const whole = await run();
    const world = newWorld();
    const stream = random("kill", seed);
    let kills = 0;
    while (await wasKilled(run({ world, resume: true, prepare: killedAt(70 + stream.integer(120)) }))) kills++;
    expect(kills).toBeGreaterThan(1);
    expect(finals(world)).toEqual(whole.final);
    for (const stage of ["sft", "reward", "ppo"] as const)
      expect([...world.store.curve(stage)]).toEqual([...whole.world.store.curve(stage)]);
    const { result } = await run({ world, resume: true });
    expect(withoutFolders(result.evaluation)).toBe(withoutFolders(whole.result.evaluation));
  });

  it("interrupted while it evaluates has nothing left to save", async () => {
    const world = newWorld();
    let evaluating = false;
    const onProgress: RunOptions["onProgress"] = ({ unit }) => {
      evaluating ||= unit === "sample";
    };
    await expect(run({ world, onProgress, interrupted: () => evaluating })).rejects.toThrow(Interrupted);
    const { result } = await run({ world, resume: true });
    expect(result.evaluation!.samples).toBe(24);
    expect(world.store.messages("resumed")).toEqual(["resumed at the evaluation"]);
  });

  it("and is begun again without resume is refused", async () => {
    const world = newWorld();
    await run({ world });
    await expect(run({ world })).rejects.toThrow(/holds an earlier run, whose sft is done/);
    // When resumed after everything is done, it returns the same and trains nothing.
    const prepare = (engine: BigramEngine) => {
      engine.before = (verb) => {
        throw new Error(`${verb} was not needed`);
      };
    };
    expect((await run({ world, resume: true, prepare })).result.stages).toHaveLength(3);
  });

  it("with a damaged result says which file", async () => {
    const world = newWorld();
    await run({ world });
    truncateSync(join(world.folder, "reward/final/model.safetensors"), 5);
    await expect(run({ world, resume: true })).rejects.toThrow(
      /reward\/final is damaged: model.safetensors has 5 bytes/,
    );
    rmSync(join(world.folder, "reward/final"), { recursive: true });
    const again = await run({ world, resume: true });
    expect(again.result.stages).toHaveLength(3);
  });
});

describe("input that cannot be", () => {
  it("rows that are too long are counted; none left is an error before anything is made", async () => {
    const world = newWorld();
    const { sft } = configOf(world);
    const data = { path: join(world.folder, "mixed.jsonl") };
    const long = { prompt: "say ".repeat(30), completion: "no" };
    const short = Array.from({ length: 7 }, (_, i) => ({ prompt: `say ${i}`, completion: "yes" }));
    writeFileSync(data.path, [long, ...short].map((row) => `${JSON.stringify(row)}\n`).join(""));
    const only = { reward: undefined, ppo: undefined };
    await run({ world, changes: { ...only, sft: { ...sft, data, longPrompts: "skip", evaluationShare: 0 } } }).catch(
      () => {},
    );
    expect(world.store.messages("warning").join()).toMatch(/of 8 rows, too long for the context: 1 skipped/);
    const small = newWorld();
    const changes = { ...only, model: { context: 4 }, sft: { ...sft, longPrompts: "skip" } };
    await expect(run({ world: small, changes })).rejects.toThrow(
      /no demonstrations are left: of \d rows, too long for the context: \d skipped/,
    );
    expect(existsSync(join(small.folder, "sft"))).toBe(false);
  });

  it("in the last stage, the evaluation or the monitoring is told before the first step of the first stage", async () => {
    const world = newWorld();
    const { ppo, reward } = configOf(world);
    const rowsIn = (name: string, ...rows: object[]) => {
      const path = join(world.folder, name);
      writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      return { path };
    };
    const chatTemplate =
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}{{ m.content }} {% endfor %}";
    const tokenizer = { kind: "word", vocabularySize: 40, chatTemplate };
    const refused = {
      messages: [
        { role: "system", content: "be brief" },
        { role: "user", content: "say red" },
      ],
    };
    const prompts = rowsIn("refused.jsonl", refused, { prompt: "say red" }, refused);
    const equal = { prompt: "say red", chosen: "yes", rejected: "yes" };
    const faults: [changes: Record<string, unknown>, message: RegExp][] = [
      [
        { ppo: { ...ppo, prompts } },
        /^2 rows cannot be used\n.*refused\.jsonl:1, 3: .*no system turn.*, the first of them "say red"$/,
      ],
      [{ evaluation: { samples: 24, prompts } }, /refused\.jsonl:1, 3: /],
      [{ control: { monitor: { prompts } } }, /refused\.jsonl:1, 3: /],
      [
        { reward: { ...reward, evaluationShare: 0, data: rowsIn("equal.jsonl", equal, equal) } },
        /no pairs are left: of 2 rows, left out: 2 whose/,
      ],
      [{ reward: { ...reward, evaluation: rowsIn("held.jsonl", equal) } }, /no held-out pairs are left: /],
      [
        { ppo: { ...ppo, longPrompts: "skip", prompts: rowsIn("long.jsonl", { prompt: "say ".repeat(30) }) } },
        /no prompts are left: of 1 rows, too long for the context: 1 skipped/,
      ],
      [
        {
          evaluation: { samples: 24, prompts: rowsIn("too-long.jsonl", { prompt: "say ".repeat(30) }) },
          ppo: { ...ppo, longPrompts: "error" },
        },
        /too-long\.jsonl:1: a row takes \d+ tokens and 5 new ones/,
      ],
    ];
    for (const [changes, message] of faults) {
      await expect(run({ world, changes: { tokenizer, ...changes } })).rejects.toThrow(message);
      expect(existsSync(join(world.folder, "sft"))).toBe(false);
      expect(() => prepareRows(configSchema.parse({ ...configOf(world), tokenizer, ...changes }))).toThrow(message);
    }
  });

  it("empty answers stop with their lines, or are left out and counted", async () => {
    const world = newWorld();
    const { sft } = configOf(world);
    const data = { path: join(world.folder, "answers.jsonl") };
    const rows = Array.from({ length: 8 }, (_, i) => ({ prompt: `say ${i}`, completion: i % 3 === 1 ? null : "yes" }));
    writeFileSync(
      data.path,
      rows
        .map((row) => `${JSON.stringify(row)}\n`)
        .join("")
        .replaceAll("null", '""'),
    );
    const changes = { reward: undefined, ppo: undefined, sft: { ...sft, data, steps: 1, evaluationShare: 0 } };
    await expect(run({ world, changes })).rejects.toThrow(
      /^3 rows cannot be used\n.*answers\.jsonl:2, 5, 8: "completion" is empty$/,
    );
    const evaluation = { path: join(world.folder, "own.jsonl") };
    writeFileSync(evaluation.path, '{"prompt": "a", "completion": "b"}\n{"prompt": "a", "completion": " "}\n');
    const both = { ...changes.sft, evaluationShare: undefined, evaluation };
    await expect(run({ world, changes: { ...changes, sft: both } })).rejects.toThrow(
      /^4 rows cannot be used\n.*answers\.jsonl:2, 5, 8: .*\n.*own\.jsonl:2: "completion" is empty$/,
    );
    await run({ world, changes: { ...changes, sft: { ...changes.sft, emptyAnswers: "skip" } } }).catch(() => {});
    expect(world.store.messages("warning")).toEqual(["of 8 rows, left out: 3 with an empty answer"]);
  });

  it("held-out rows with a prompt that is trained on are told", async () => {
    const world = newWorld();
    const { sft } = configOf(world);
    const data = { path: join(world.folder, "one.jsonl") };
    const rows = Array.from({ length: 8 }, (_, i) => `{"prompt": "say it", "completion": "yes ${i}"}\n`);
    writeFileSync(data.path, rows.join(""));
    const only = { reward: undefined, ppo: undefined };
    await run({ world, changes: { ...only, sft: { ...sft, data, steps: 1 } } }).catch(() => {});
    expect(world.store.messages("warning")).toEqual([
      "of 2 held-out rows, 2 have prompts that training rows have too: held-out numbers may be better than on new prompts",
    ]);
    const pairs = configSchema.parse({ ...configOf(newWorld(), only), sft: undefined, reward: configOf(world).reward });
    expect(prepareRows(pairs).encoded.reward(24).caution).toBeNull();
  });

  it("prompts without the answer that a verifier needs are counted before anything is trained", async () => {
    const rewards = [{ kind: "exact" }];
    const bare = (world: World) => {
      const path = join(world.folder, "bare.jsonl");
      writeFileSync(path, `${JSON.stringify({ prompt: "say red", reference: "red" })}\n{"prompt":"say blue"}\n`);
      return { path };
    };
    const world = newWorld();
    const { ppo } = configOf(world);
    const prompts = bare(world);
    const message =
      /exact needs a reference answer, and 1 of 2 prompts have none, the first of them "say blue" \(.*bare\.jsonl:2\)/;
    await expect(run({ world, changes: { ppo: { ...ppo, rewards, prompts } } })).rejects.toThrow(message);
    // The evaluation uses the same reward, after all training.
    const changes = { ppo: { ...ppo, rewards }, evaluation: { samples: 24, prompts } };
    await expect(run({ world, changes })).rejects.toThrow(message);
    expect(existsSync(join(world.folder, "sft"))).toBe(false);
    expect(() => checkRows(configSchema.parse({ ...configOf(world), ...changes }))).toThrow(message);
    expect(() => checkRows(configOf(world))).not.toThrow();
  });

  it("a reward model that reads other tokens is told", async () => {
    const world = newWorld();
    const folder = temporaryFolder();
    const engine = new BigramEngine();
    const bytes = buildTokenizer({ kind: "byte", vocabularySize: 262 }, []);
    const config = { ...sizes, vocabularySize: 262, context: 128 };
    const { id: model } = await engine.createModel({ config, heads: ["scalar"], seed: 1 });
    await saveModelFolder({ engine, tokenizer: bytes, model, folder });
    const { ppo } = configOf(world);
    const rewards = [{ kind: "model", path: folder }];
    await run({ world, changes: { ppo: { ...ppo, rewards }, control: { interventions: "off" } } });
    expect(world.store.messages("warning").join()).toMatch(/the tokenizer in .* differs from the policy's/);
  });

  it("a policy as a reward model is refused", async () => {
    const world = newWorld();
    const { ppo } = configOf(world);
    const rewards = [{ kind: "model", path: join(world.folder, "sft/final") }];
    await expect(run({ world, changes: { reward: undefined, ppo: { ...ppo, rewards } } })).rejects.toThrow(
      /no scalar head/,
    );
  });
});

describe("eval", () => {
  it("measures again, with other samples", async () => {
    const { world, result, engine } = await run();
    const config = configOf(world);
    const options = { config, folder: world.folder, engine, onProgress: () => {}, interrupted: () => false };
    expect(withoutFolders(await evaluateRun(options))).toBe(withoutFolders(result.evaluation));
    const other = await evaluateRun({ ...options, samples: 60, seed: 5, temperature: 0.5 });
    expect([other.samples, other.seed, other.temperature]).toEqual([60, 5, 0.5]);
    expect(other.after.figures.length!.n).toBe(60);
  });

  it("of a run that is not done says so", async () => {
    const world = newWorld();
    const config = configOf(world);
    const engine = new BigramEngine();
    const options = { config, folder: world.folder, engine, onProgress: () => {}, interrupted: () => false };
    await expect(evaluateRun(options)).rejects.toThrow(/ppo of the run in .* is not done/);
  });
});

describe("generate", () => {
  it("answers each prompt as if it were alone", async () => {
    const { result, engine } = await run();
    const tokenizer = loadTokenizer(result.final);
    const ask = (...texts: string[]) =>
      generate({
        engine,
        tokenizer,
        folder: result.final,
        prompts: texts.map((content) => [{ role: "user", content }]),
        ...{ samples: 2, maxNewTokens: 100, temperature: 0, topK: 0, topP: 1, seed: 1 },
      });
    const both = await ask("say red", "say green and blue and grey and red");
    expect(both.map(({ prompt }) => prompt)).toEqual([...Array(2).fill("say red"), ...Array(2).fill(both[2]!.prompt)]);
    expect(both.slice(0, 2)).toEqual(await ask("say red"));
    for (const { tokens, logprob } of both) {
      expect(tokens).toBeGreaterThan(0);
      expect(logprob).toBeLessThanOrEqual(0);
    }
    await expect(ask(Array(40).fill("red").join(" "))).rejects.toThrow(/more than the context/);
  });
});
