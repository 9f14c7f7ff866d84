/** Which lengths a resume may change, and what it says about settings that depend on them. */
import { expect, it } from "vitest";
import type { Config } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import { extended, type StageProgress } from "./extend.ts";
import { parseConfig } from "./load-config.ts";

const config = (ppo = "") =>
  parseConfig(`demo: {}\nsft: {}\nreward: {}\nppo: {iterations: 100, warmup: 0${ppo}}\n`, "a.yaml").config;

const whole = (done: number): StageProgress => ({ done, finished: true });
const all = { sft: whole(300), reward: whole(200), ppo: whole(100) };

it("makes a finished run longer, and one that is under way longer or shorter", () => {
  expect(extended(config(), ["ppo.iterations=150"], all)).toMatchObject({
    config: { ppo: { iterations: 150 } },
    notes: [],
  });
  const under = { sft: whole(300), reward: whole(200), ppo: { done: 37, finished: false } };
  for (const n of [37, 60, 1000])
    expect(extended(config(), [`ppo.iterations=${n}`], under).config.ppo?.iterations).toBe(n);
  const early = { sft: { done: 50, finished: false } };
  expect(extended(config(), ["sft.steps=400", "reward.steps=9", "ppo.iterations=3"], early).config).toMatchObject({
    sft: { steps: 400 },
    reward: { steps: 9 },
    ppo: { iterations: 3 },
  });
});

it.each([
  ["ppo.iterations=100", all, "ppo.iterations 100: 100 are done, and the stage with them"],
  ["ppo.iterations=20", all, "ppo.iterations 20: 100 are done"],
  ["ppo.iterations=20", { ppo: { done: 37, finished: false } }, "ppo.iterations 20: 37 are done"],
  ["sft.steps=400", all, "sft.steps: reward has begun from the result of sft"],
  ["reward.steps=400", { reward: whole(200), ppo: { done: 0, finished: false } }, "reward.steps: ppo has begun from"],
  ["ppo.iterations=150", { ppo: whole(40) }, "ended after 40 of 100, as its target was met"],
  ["ppo.iterations=1.5", all, "ppo.iterations: expected a whole number from 1, found 1.5"],
  ["ppo.iterations=many", all, "expected a whole number from 1, found many"],
  ["ppo.iterations=", all, "there is nothing after the ="],
  ["ppo.epochs=2", all, "ppo.epochs cannot be changed by a resume"],
  ["seed=2", all, "seed cannot be changed by a resume"],
])("refuses %s of %j", (text, progress, message) => {
  expect(() => extended(config(), [text], progress)).toThrow(message);
  expect(() => extended(config(), [text], progress)).toThrow(UsageError);
});

it("takes a longer deadline of calls and a number of processes on PyTorch, which change nothing else", () => {
  const torch = { ...config(), engine: { kind: "torch" } } as const;
  expect(extended(torch, ["engine.deadline=7200"], all)).toEqual({
    config: { ...torch, engine: { kind: "torch", deadline: 7200 } },
    notes: [],
  });
  const both = extended(torch, ["engine.deadline=7200", "engine.processes=2"], all).config.engine;
  expect(both).toEqual({ kind: "torch", deadline: 7200, processes: 2 });
  expect(() => extended(torch, ["engine.processes=0"], all)).toThrow("engine.processes: expected a whole number");
  expect(extended(torch, ["engine.reshard=step"], all).config.engine).toEqual({ kind: "torch", reshard: "step" });
  expect(() => extended(torch, ["engine.reshard=never"], all)).toThrow("engine.reshard: expected one of pass, step");
  expect(() => extended(torch, ["engine.deadline=0"], all)).toThrow("engine.deadline: expected a whole number from 1");
  expect(() => extended(torch, ["engine.dtype=bf16"], all)).toThrow(UsageError);
  expect(() => extended(config(), ["engine.deadline=7200"], all)).toThrow("engine.deadline cannot be changed");
});

it("takes a new address of a server that was started again elsewhere, of each engine that is one", () => {
  const server = (port: number) => ({ kind: "tinker", url: `http://127.0.0.1:${port}`, model: "m", backend: "hosted" });
  const given = { ...config(), engine: { ...server(1), reference: server(2), critic: { kind: "torch" } } } as Config;
  const { engine } = extended(given, ["engine.url=http://other:9", "engine.reference.url=http://b:8"], all).config;
  expect(engine).toMatchObject({ url: "http://other:9", model: "m", reference: { url: "http://b:8" } });
  expect(extended(given, ["engine.critic.deadline=60"], all).config.engine.critic).toMatchObject({ deadline: 60 });
  expect(() => extended(given, ["engine.url=other"], all)).toThrow("engine.url: expected an address such as");
  expect(() => extended(given, ["engine.model=n"], all)).toThrow(UsageError);
  expect(() => extended(given, ["engine.critic.url=http://b:8"], all)).toThrow(
    /engine\.critic\.url cannot be changed.*/,
  );
});

it("says what is drawn over the whole length", () => {
  const notes = (ppo: string) => extended(config(ppo), ["ppo.iterations=200"], all).notes.join("\n");
  expect(notes("")).toBe("");
  expect(notes(", schedule: linear, learningRate: 0.1")).toBe(
    "ppo.schedule linear now spans 200: the learning rate continues at 0.05, not at the 0.001 it had reached",
  );
  expect(notes(", schedule: step, learningRate: 0.1")).toBe("");
  // The rate goes on where it was, and yet was not what a longer run would have had.
  const three = { ppo: { done: 3, finished: true } };
  const short = parseConfig(
    "demo: {}\nsft: {}\nreward: {}\nppo: {iterations: 3, warmup: 0.05, schedule: linear}\n",
    "b.yaml",
  ).config;
  expect(extended(short, ["ppo.iterations=5"], three).notes).toEqual([
    expect.stringContaining("a run of 5 from the start would have had other learning rates up to here"),
  ]);
  expect(notes(", kl: {controller: ziegler, target: 6, targetUnit: sequence}")).toContain("ppo.kl.horizon");
  expect(notes(", kl: {target: 6, targetEnd: 3}")).toContain("ppo.kl.targetEnd");
  expect(notes(", clipSchedule: phases, kl: {target: 6}")).toContain("quarters of the new length");
});
