/** Which runs a table shows, and in what order. */
import { expect, it } from "vitest";
import type { RunSummary } from "../../../src/types/page.ts";
import { type Filter, matches, merged, orderOf, progressOf, sorted, toggled } from "./run-list.ts";

const run = (id: string, more: Partial<RunSummary> = {}): RunSummary => ({
  id,
  objective: "Prefer short answers.",
  seed: 1,
  createdAt: 0,
  state: "done",
  alive: false,
  lastBeat: null,
  attempt: 1,
  position: null,
  health: null,
  reward: null,
  kl: null,
  openIncidents: 0,
  tags: [],
  note: "",
  archived: false,
  ...more,
});

const all: Filter = { text: "", states: [], tags: [], archived: false };

it("finds every word somewhere in id, objective, tags or note", () => {
  const one = run("demo-1", { tags: ["baseline"], note: "Rate halved" });
  expect(matches(one, { ...all, text: "DEMO baseline rate short" })).toBe(true);
  expect(matches(one, { ...all, text: "demo doubled" })).toBe(false);
  expect(matches(one, { ...all, text: "  " })).toBe(true);
});

it("states are any of, tags are all of; archived runs only if they are asked for", () => {
  const one = run("a", { state: "stopped", openIncidents: 1, tags: ["x", "y"] });
  expect(matches(one, { ...all, states: ["running", "stopped"] })).toBe(true);
  expect(matches(one, { ...all, states: ["incident"] })).toBe(true);
  expect(matches(run("b"), { ...all, states: ["incident"] })).toBe(false);
  expect(matches(one, { ...all, tags: ["x", "y"] })).toBe(true);
  expect(matches(one, { ...all, tags: ["x", "z"] })).toBe(false);
  const old = run("c", { archived: true });
  expect(matches(old, all)).toBe(false);
  expect(matches(old, { ...all, archived: true })).toBe(true);
});

it("NaN comes before every number, and what is not there last, whichever way", () => {
  const runs = [run("none"), run("low", { kl: 0.1 }), run("nan", { kl: "NaN" }), run("inf", { kl: "Infinity" })];
  const ids = (word: string) => sorted(runs, orderOf(word)).map(({ id }) => id);
  expect(ids("kl")).toEqual(["nan", "low", "inf", "none"]);
  expect(ids("-kl")).toEqual(["nan", "inf", "low", "none"]);
});

it("names with numbers stand in the order of the numbers", () => {
  const runs = ["demo-10", "demo-9", "demo-1"].map((id) => run(id));
  expect(sorted(runs, orderOf("run")).map(({ id }) => id)).toEqual(["demo-1", "demo-9", "demo-10"]);
});

it("by age, the newest first, is the order if the address has none or nonsense", () => {
  const runs = [run("old", { createdAt: 1 }), run("new", { createdAt: 2 })];
  for (const word of [undefined, "", "constructor", "-"])
    expect(sorted(runs, orderOf(word)).map(({ id }) => id)).toEqual(["new", "old"]);
});

it("progress counts stages, and never beyond the end of one", () => {
  const at = (stage: "sft" | "ppo", iteration: number) => progressOf({ position: { stage, iteration, of: 50 } });
  expect(at("sft", 24)).toBe(0.5);
  expect(at("ppo", 50)).toBe(3);
  expect(progressOf({ position: null })).toBeNull();
});

it("what the stream tells is shown, and runs that began since are there", () => {
  const news = new Map([run("a", { health: 40 }), run("c", { createdAt: 9 })].map((one) => [one.id, one]));
  const runs = merged([run("a", { health: 90, createdAt: 0 }), run("b")], news);
  expect(runs.map(({ id, health }) => [id, health])).toEqual([
    ["c", null],
    ["a", 40],
    ["b", null],
  ]);
});

it("toggles", () => {
  expect(toggled(["a"], "b")).toEqual(["a", "b"]);
  expect(toggled(["a", "b"], "a")).toEqual(["b"]);
});
