// @vitest-environment happy-dom
/** The Run view: what it shows of an answer, how it follows the stream, and that its state is in the address. */
import type { Signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { PageEvent, RunAnswer, RunSummary, SeriesAnswer, StreamedRun } from "../../../../src/types/page.ts";
import type { Stage } from "../../../../src/types/records.ts";

let tell: (news: StreamedRun) => void = () => {};
vi.mock("../../state/live.ts", async () => {
  const { signal } = await import("@preact/signals");
  return {
    summaries: signal(new Map()),
    line: signal("live"),
    watch: (_id: string, _from: unknown, hear: (news: StreamedRun, cursor: unknown) => void) => {
      tell = (news) => hear(news, { metrics: 1000, events: 1000 });
      return () => {};
    },
  };
});

const { RunPage } = await import("../run.tsx");
const { setQuery, view } = await import("../../router.ts");
const { summaries } = (await import("../../state/live.ts")) as { summaries: Signal<ReadonlyMap<string, RunSummary>> };

const latest = {
  "reward/score_mean": 0.5,
  "reward/score_p5": 0,
  "reward/score_p95": 1,
  "kl/ref_k3_token": 0.12,
  "clip/fraction": 0.4,
  "entropy/mean": 0.2,
  "value/explained_variance": 0.9,
  "gradient/policy_norm": "NaN",
  "time/total_s": 2,
  "time/update_s": 1.5,
  "health/total": 71,
  "health/gradient": 0,
} as const;
const run: RunSummary = {
  id: "demo-1",
  objective: "Prefer the short answer",
  seed: 1,
  createdAt: 0,
  state: "running",
  alive: true,
  lastBeat: Date.now(),
  attempt: 1,
  position: { stage: "ppo", iteration: 9, of: 20 },
  health: 71,
  reward: 0.5,
  kl: 0.12,
  openIncidents: 1,
  tags: [],
  note: "",
  archived: false,
};
const answer: RunAnswer = {
  run,
  stages: [
    { stage: "sft", done: 450, of: 450 },
    { stage: "ppo", done: 10, of: 20 },
  ],
  pace: { seconds: 3, left: 30 },
  config: { ppo: { iterations: 20 } },
  machine: { cpu: "one" },
  folder: "/runs/demo-1",
  argument: "demo-1",
  evaluation: null,
  attempts: [{ attempt: 1, begins: { stage: "sft", iteration: 0 }, startedAt: 0, host: "here", pid: 7 }],
  keys: [
    ...Object.keys(latest).map((key) => ({ stage: "ppo" as Stage, key })),
    { stage: "sft", key: "sft/loss" },
    { stage: "ppo", key: "reward/gold_correlation" },
  ],
  latest: { ppo: latest, sft: { "sft/loss": 0.3 } },
  thresholds: [{ signal: "clip/fraction", rule: "clip_fraction", tier: 2, above: 0.3, below: null }],
  version: "1",
  cursor: { metrics: 10, events: 10 },
};
const event = (seq: number, iteration: number, message: string, rest: Partial<PageEvent>): PageEvent => ({
  seq,
  attempt: 1,
  stage: "ppo",
  iteration,
  kind: "alert",
  message,
  at: 0,
  superseded: false,
  ...rest,
});
const events: PageEvent[] = [
  event(1, 2, "saved /runs/demo-1/ppo/checkpoint-000002", { kind: "checkpoint", superseded: true }),
  event(2, 8, "<img src=x onerror=alert(1)>", { tier: 2, signal: "reward/score_mean", rule: "r" }),
  event(3, 9, "approx KL 0.3 > 0.15  ->  saved, paused: incident 4", { kind: "incident", incident: 4 }),
];

/** Whether more has happened than the newest events show. */
let long = false;
const old = event(-2, 1, "KL jumped", { tier: 1 });
const note = event(-1, 1, "a note", { tier: 3 });

const asked: URL[] = [];
function answerTo(url: URL): unknown {
  if (url.pathname.endsWith("/events") && long) {
    const { before, notes } = Object.fromEntries(url.searchParams);
    if (notes === "0") return { rows: [old, ...events], cursor: -2, more: false };
    return before === "1" ? { rows: [old, note], cursor: -2, more: false } : { rows: events, cursor: 1, more: true };
  }
  if (url.pathname.endsWith("/events")) return { rows: events, cursor: 1, more: false };
  if (url.pathname.endsWith("/settings")) return { rows: [], cursor: 0, more: false };
  if (url.pathname.endsWith("/series")) {
    const stage = url.searchParams.get("stage") as Stage;
    const from = Number(url.searchParams.get("from") ?? 0);
    const keys = url.searchParams.get("keys")!.split(",");
    const columns = (key: string) => {
      const value = answer.latest[stage]?.[key];
      const mean = typeof value === "number" ? value : null;
      return { width: 1, from: [from, from + 1], mean: [mean, mean], nonFinite: [] };
    };
    return { stage, series: Object.fromEntries(keys.map((key) => [key, columns(key)])), cursor: 10 } as SeriesAnswer;
  }
  return answer;
}

const page = document.createElement("div");
const settle = () => act(() => new Promise<void>((resolve) => setTimeout(resolve, 20)));
const text = (selector: string) => page.querySelector(selector)?.textContent?.replace(/\s+/g, " ").trim();

beforeEach(async () => {
  document.body.append(page);
  vi.stubGlobal("fetch", async (address: string) => {
    const url = new URL(address, "http://localhost");
    asked.push(url);
    return new Response(JSON.stringify(answerTo(url)));
  });
  history.replaceState(null, "", "#/runs/demo-1");
  view.value = { path: ["runs", "demo-1"], query: {} };
  act(() => render(<RunPage id="demo-1" />, page));
  await settle();
});

afterEach(() => {
  act(() => render(null, page));
  vi.unstubAllGlobals();
  asked.length = 0;
});

it("says what is wrong and where to decide on it, and how each signal does", () => {
  expect(text(".trouble")).toContain("approx KL 0.3 > 0.15 → saved, paused: incident 4; the run waits for a decision.");
  expect(page.querySelector(".trouble a[href='#/runs/demo-1/control']")).not.toBeNull();
  const tiles = [...page.querySelectorAll(".tile")].map((tile) => tile.querySelector(".state")!.textContent!.trim());
  expect(tiles).toEqual(["▲ warning", "✓ fine", "▲ warning", "✓ fine", "✓ fine", "▼ not finite"]);
  expect(text(".strip")).toContain("10 of 20");
  expect(text(".strip")).toContain("gradient 0");
});

it("moves with the stream, in what it shows of the newest", async () => {
  const values = { ...latest, "reward/score_mean": 0.75, "brand/new": 1 };
  act(() => tell({ reset: false, iterations: [{ stage: "ppo", iteration: 10, values }], events: [] }));
  expect(text(".tile-figure")).toBe("0.75");
  expect(text(".strip")).toContain("11 of 20");
  expect(page.querySelector("datalist option[value='brand/new']")).not.toBeNull();
});

it("events are text, struck if they were taken back, and choose their iteration in the address", () => {
  expect(page.querySelector(".events img")).toBeNull();
  expect(text(".events")).toContain("<img src=x onerror=alert(1)>");
  expect(text(".events s")).toBe("saved ppo/checkpoint-000002");
  const row = [...page.querySelectorAll<HTMLElement>(".event")].find((one) => one.textContent!.includes("<img"))!;
  expect(row.querySelector("a[href='#/runs/demo-1/samples?it=8']")).not.toBeNull();
  act(() => row.querySelector<HTMLElement>(".event-main")!.click());
  expect(location.hash).toBe("#/runs/demo-1?it=8");
  expect(text(".toolbar")).toContain("iteration 8");
});

it("an incident asks for a decision for as long as it waits", async () => {
  const link = () => text(".events a[href='#/runs/demo-1/control']");
  expect(link()).toBe("decide");
  await act(() => {
    summaries.value = new Map([["demo-1", { ...run, openIncidents: 0 }]]);
  });
  expect(link()).toBe("in Control");
  summaries.value = new Map();
});

it("the other views take the chosen iteration along, and who comes back finds the view as it was left", async () => {
  const press = async (key: string) => {
    act(() => void document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })));
    await settle();
  };
  const left = { it: "8", from: "3", to: "9", smooth: "0.9" };
  act(() => setQuery(left));
  await press("2");
  expect(view.value).toEqual({ path: ["runs", "demo-1", "samples"], query: { it: "8" } });
  act(() => setQuery({ it: 5, sort: "-kl" }));
  await settle();
  expect(page.querySelector<HTMLAnchorElement>(".tabs a")!.hash).toBe("#/runs/demo-1?it=5&from=3&to=9&smooth=0.9");
  await press("1");
  expect(view.value.query).toEqual({ ...left, it: "5" });
  await press("2");
  expect(view.value.query).toEqual({ it: "5", sort: "-kl" });
});

it("of older events what matters is there from the first, and the rest when it is asked for", async () => {
  act(() => render(null, page));
  long = true;
  act(() => render(<RunPage id="demo-1" />, page));
  await settle();
  long = false;
  const says = () => [...page.querySelectorAll(".events .event-says")].map((one) => one.textContent);
  const options = () => [...page.querySelectorAll(".filters option")].map((one) => one.textContent);
  expect(says()).toContain("KL jumped");
  expect(options()).toEqual(expect.arrayContaining(["all 4+", "tier 1: 1", "tier 3: 0+"]));
  long = true;
  const button = [...page.querySelectorAll<HTMLElement>(".events button")].find(
    (one) => one.textContent === "load older ones",
  );
  act(() => button!.click());
  await settle();
  long = false;
  expect(says().slice(-2)).toEqual(["a note", "KL jumped"]);
  expect(options()).toEqual(expect.arrayContaining(["all 5", "tier 1: 1", "tier 3: 1"]));
});

it("another stage has its own figures and charts; folded groups fetch nothing; any metric can be added", async () => {
  const titles = () => [...page.querySelectorAll(".chart-title")].map((one) => one.textContent);
  expect(titles().slice(0, 3)).toEqual(["Score", "KL to the reference", "Clip fraction"]);
  act(() => setQuery({ closed: "reward", add: "reward/gold_correlation" }));
  await settle();
  expect(titles().slice(0, 2)).toEqual(["reward/gold_correlation", "KL to the reference"]);
  act(() => setQuery({ stage: "sft" }));
  await settle();
  expect(text(".tile h3")).toBe("Loss nats/token");
  expect(
    asked.some((url) => url.searchParams.get("stage") === "sft" && url.searchParams.get("keys")!.includes("sft/loss")),
  ).toBe(true);
});

it("a range in the address is what charts ask for; the figures above stay those of the whole run", async () => {
  asked.length = 0;
  act(() => setQuery({ from: 3, to: 7 }));
  await settle();
  const ranges = asked.filter(({ searchParams }) => searchParams.get("points") !== "1");
  expect(ranges.length).toBe(1);
  expect([ranges[0]!.searchParams.get("from"), ranges[0]!.searchParams.get("to")]).toEqual(["3", "7"]);
  expect(ranges[0]!.searchParams.get("keys")).toContain("reward/score_p95");
});

it("the address says whether all settings are shown", async () => {
  const button = () =>
    [...page.querySelectorAll("button")].find((one) => /^(all 0|only what changed)$/.test(one.textContent!))!;
  act(() => button().click());
  expect(view.value.query.settings).toBe("all");
  expect(button().getAttribute("aria-pressed")).toBe("true");
});

it("keys move the chosen iteration, zoom, smooth and change the axes", () => {
  const press = (key: string) => act(() => void dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })));
  press("ArrowLeft");
  expect(view.value.query.it).toBe("9");
  press("ArrowLeft");
  expect(view.value.query.it).toBe("8");
  press("+");
  expect(view.value.query).toMatchObject({ from: "4", to: "9" });
  press("s");
  press("l");
  expect(view.value.query).toMatchObject({ smooth: "0.9", log: "1" });
  press("0");
  press("Escape");
  expect(view.value.query).toEqual({ smooth: "0.9", log: "1" });
});
