// @vitest-environment happy-dom
/** Columns keep up with the stream, also while an answer is pending. */
import { afterEach, expect, it, vi } from "vitest";
import type { SeriesAnswer } from "../../../src/types/page.ts";
import { ColumnSet } from "./column-set.ts";

afterEach(() => vi.unstubAllGlobals());

const answerOf = (values: number[], cursor: number): SeriesAnswer => ({
  stage: "ppo",
  series: { kl: { width: 1, from: values.map((_, i) => i), mean: values, nonFinite: [] } },
  cursor,
});

function served(...answers: SeriesAnswer[]) {
  const asked: { readonly address: string; readonly answer: () => Promise<void> }[] = [];
  vi.stubGlobal(
    "fetch",
    (address: string) =>
      new Promise((resolve) => {
        const mine = answers.shift();
        const answer = async () => {
          resolve(new Response(JSON.stringify(mine)));
          await new Promise((done) => setTimeout(done, 5));
        };
        asked.push({ address, answer });
      }),
  );
  return asked;
}

const open = () => new ColumnSet({ path: "/series", points: 600, onError: (error) => expect(error).toBeNull() });
const told = (iteration: number, value: number | "NaN") =>
  [{ stage: "ppo", iteration, values: { kl: value as number } }] as const;

it("has what the stream told while the answer was under way, and once", async () => {
  const asked = served(answerOf([1, 2, 3], 30));
  const set = open();
  set.want("ppo", ["kl"]);
  await Promise.resolve();
  set.hear(told(2, 3), { metrics: 30, events: 0 });
  set.hear(told(3, "NaN"), { metrics: 40, events: 0 });
  await asked[0]!.answer();
  const { from, mean, nonFinite } = set.column("ppo", "kl");
  expect([from, mean, [...nonFinite.keys()]]).toEqual([[0, 1, 2, 3], [1, 2, 3, null], [3]]);
});

it("forgets an answer to a question that is no longer asked, and what lies outside of the zoom", async () => {
  const asked = served(answerOf([9, 9, 9], 30), answerOf([1], 30));
  const set = open();
  set.want("ppo", ["kl"]);
  await Promise.resolve();
  set.zoom({ from: 0, to: 1 });
  await Promise.resolve();
  expect(asked[1]!.address).toBe("/series?stage=ppo&keys=kl&from=0&to=1&points=600");
  await asked[1]!.answer();
  await asked[0]!.answer();
  set.hear(told(1, 5), { metrics: 50, events: 0 });
  expect(set.column("ppo", "kl").mean).toEqual([1]);
});

it("asks for what comes before a zoom, too, so that smoothing does not begin at its edge", async () => {
  const asked = served(answerOf([9], 30), answerOf([9], 30));
  const set = open();
  set.zoom({ from: 37, to: undefined });
  set.want("ppo", ["kl"]);
  await Promise.resolve();
  expect(asked[0]!.address).toBe("/series?stage=ppo&keys=kl&from=37&points=600&lead=50");
});

it("asks again for what did not come", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
  const failed = vi.fn();
  const set = new ColumnSet({ path: "/series", points: 600, onError: failed });
  const free = set.want("ppo", ["kl"]);
  await vi.waitFor(() => expect(failed).toHaveBeenCalled());
  const asked = served(answerOf([1], 30));
  set.want("ppo", ["kl"]);
  free();
  await Promise.resolve();
  await asked[0]!.answer();
  expect(set.column("ppo", "kl").mean).toEqual([1]);
});

it("asks again if a newer attempt goes over old ground", async () => {
  const asked = served(answerOf([1, 2, 3], 30), answerOf([1, 7], 60));
  const set = open();
  set.want("ppo", ["kl"]);
  await Promise.resolve();
  await asked[0]!.answer();
  set.hear(told(1, 7), { metrics: 60, events: 0 });
  await Promise.resolve();
  await asked[1]!.answer();
  expect(set.column("ppo", "kl").mean).toEqual([1, 7]);
});
