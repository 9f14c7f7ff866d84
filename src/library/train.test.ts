/** A whole run from a program: events on the way, a signal that ends it saved, and another process that goes on. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, expectTypeOf, it } from "vitest";
import type { ConfigInput, EventRecord, PipelineResult, Progress, TrainedRun } from "../index.ts";
import * as ballast from "../index.ts";
import { openRun, train } from "./train.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-train-"));
afterAll(() => rmSync(folder, { recursive: true }));
const data = join(folder, "sft.jsonl");
const words = ["red", "green", "blue", "black"];
writeFileSync(data, words.map((word) => `${JSON.stringify({ prompt: `say ${word}`, completion: word })}\n`).join(""));
const config: ConfigInput = {
  name: "small",
  workspace: join(folder, "runs"),
  threads: 1,
  objective: "say the word",
  model: { layers: 1, width: 16, heads: 2, context: 16 },
  tokenizer: { kind: "word" },
  sft: { data: { path: data }, steps: 6, batchSize: 4, evaluationShare: 0.25 },
};

it("trains, and tells events, progress and states", async () => {
  const events: string[] = [];
  const states: string[] = [];
  const steps: number[] = [];
  const { result, id } = await train(config, {
    onEvent: ({ kind }) => events.push(kind),
    onState: (state) => states.push(state),
    onProgress: ({ step }) => steps.push(step),
  });
  expect(id).toBe("small-1");
  expect(result.stages).toMatchObject([{ stage: "sft", steps: 6 }]);
  expect(events).toEqual(expect.arrayContaining(["stage_started", "stage_finished"]));
  expect(states).toEqual(["running", "done"]);
  expect(steps.at(-1)).toBe(6);
});

it("ends saved at a signal, and goes on by the run's id", async () => {
  const abort = new AbortController();
  const stopping = train(config, {
    signal: abort.signal,
    onProgress: ({ step }) => step === 3 && abort.abort(),
  });
  await expect(stopping).rejects.toThrow(ballast.Interrupted);
  const run = await openRun({ resume: "small-2", workspace: config.workspace });
  const { result } = await run.train();
  expect(result.stages).toMatchObject([{ stage: "sft", steps: 6 }]);
});

it("leaves nothing behind of a run that has not trained a step", async () => {
  await expect(train({ ...config, name: "early" }, { signal: AbortSignal.abort() })).rejects.toThrow(
    "nothing was trained, and no run is left behind",
  );
  expect(readdirSync(config.workspace!).filter((name) => /early/.test(name))).toEqual([]);
  await expect(openRun({ resume: "early-1", workspace: config.workspace })).rejects.toThrow("there is no run early-1");
});

it("leaves nothing behind of a configuration that cannot run", async () => {
  const wrong = { ...config, sft: { ...config.sft, stepz: 3 } } as ConfigInput;
  await expect(train(wrong)).rejects.toThrow('unknown key "stepz" in sft; did you mean steps?');
});

it("is typed", () => {
  expectTypeOf(ballast.train).returns.resolves.toExtend<TrainedRun<PipelineResult>>();
  expectTypeOf(ballast.train).parameter(1).exclude<undefined>().toHaveProperty("onEvent");
  expectTypeOf<Parameters<NonNullable<ballast.RunListener["onEvent"]>>[0]>().toEqualTypeOf<EventRecord>();
  expectTypeOf<Parameters<NonNullable<ballast.RunListener["onProgress"]>>[0]>().toEqualTypeOf<Progress>();
  expectTypeOf(ballast.PPOTrainer.prototype.generate).returns.resolves.toEqualTypeOf<string[]>();
  // @ts-expect-error an unknown name
  expect(() => new ballast.PPOConfig({ model_name: "m", learning_rat: 1 })).toThrow("learning_rate");
  // @ts-expect-error a wrong type
  const config: ConfigInput = { sft: { steps: "many" } };
  expect(config).toBeDefined();
});
