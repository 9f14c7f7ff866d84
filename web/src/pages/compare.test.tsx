// @vitest-environment happy-dom
/** The page that compares runs: its warnings, contents and exports. */
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Evaluation } from "../../../src/types/evaluation.ts";
import type { CompareAnswer, RunSummary } from "../../../src/types/page.ts";
import type { ChartProps } from "../components/chart.tsx";

const charts: ChartProps[] = [];
vi.mock("../components/chart.tsx", () => ({
  Chart: (props: ChartProps) => {
    charts.push(props);
    return <figure data-chart={props.title} />;
  },
}));
vi.mock("../state/live.ts", async () => {
  const { signal } = await import("@preact/signals");
  return { summaries: signal(new Map()), gone: signal(new Set()), line: signal("live"), watch: () => () => {} };
});

const { ComparePage } = await import("./compare.tsx");
const { setQuery, view } = await import("../router.ts");

const run = (id: string): RunSummary => ({
  id,
  objective: "",
  seed: 1,
  createdAt: 0,
  state: "done",
  alive: false,
  lastBeat: null,
  attempt: 1,
  position: { stage: "ppo", iteration: 3, of: 4 },
  health: 90,
  reward: 0.5,
  kl: 0.1,
  openIncidents: 0,
  tags: [],
  note: "",
  archived: false,
});

const evaluation = (mean: number, more: Partial<Evaluation> = {}): Evaluation => ({
  objective: "",
  samples: 1024,
  temperature: 1,
  seed: 1234,
  shares: ["refuses"],
  before: { folder: "", figures: { refuses: { mean: 0.4, low: 0.35, high: 0.45, n: 256 } } },
  after: {
    folder: "",
    figures: {
      refuses: { mean, low: mean - 0.05, high: mean + 0.05, n: 256 },
      length: { mean: 7, low: 6.5, high: 7.5, n: 256 },
    },
  },
  differences: { refuses: { difference: mean - 0.4, low: mean - 0.5, high: mean - 0.3 } },
  transcripts: [],
  ...more,
});

let answer: CompareAnswer;
const asked: string[] = [];

beforeEach(() => {
  charts.length = 0;
  asked.length = 0;
  answer = {
    runs: [run("a-1"), run("a-2")],
    settings: [
      { key: "seed", values: [1, 2] },
      { key: "ppo.epochs", values: [4, "<b>2</b>"] },
      { key: "workspace", values: ["runs", "/tmp/runs"] },
    ],
    results: [
      { run: "a-1", evaluation: evaluation(0.9), latest: { ppo: { "reward/score_mean": "NaN" } } },
      { run: "a-2", evaluation: null, latest: { ppo: { "reward/score_mean": 0.4 } } },
    ],
    keys: ["reward/score_mean", "kl/ref_k3_token", "gradient/policy_norm", "time/total_s"].map((key) => ({
      stage: "ppo" as const,
      key,
    })),
  };
  view.value = { path: ["compare"], query: { runs: "a-1,a-2" } };
  history.replaceState(null, "", "#/compare?runs=a-1,a-2");
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    if (path.startsWith("/api/compare")) return Response.json(answer);
    if (path === "/api/runs") return Response.json({ runs: [run("a-1"), run("a-2"), run("a-3")] });
    if (path.includes("/series")) return Response.json({ stage: "ppo", series: {}, cursor: 0 });
    if (path.includes("/events")) return Response.json({ rows: [], cursor: 0, more: false });
    if (!path.endsWith("/a-1")) return Response.json({ error: "There is no such run." }, { status: 404 });
    return Response.json({
      run: run("a-1"),
      latest: {},
      keys: answer.keys,
      stages: [],
      cursor: { metrics: 0, events: 0 },
    });
  });
});

afterEach(() => render(null, document.body));

async function open(): Promise<HTMLElement> {
  render(<ComparePage />, document.body);
  await settle();
  return document.body;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setTimeout(resolve, 4));
}

const table = (name: string) => document.querySelector(`section[aria-label="${name}"] table`)!;

it("warns if more than one thing changed, and does not count what cannot matter", async () => {
  await open();
  expect(document.querySelector("[role=alert]")!.textContent).toContain(
    "B differs from A in 2 settings (seed, ppo.epochs): no single setting explains a difference in the curves.",
  );
  const rows = [...table("Settings that differ").querySelectorAll("tbody tr")].map((row) => row.textContent);
  expect(rows[1]).toBe("ppo.epochs4<b>2</b>");
  expect(rows[2]).toContain("1 more that cannot change");
  expect(table("Settings that differ").querySelector("td b")).toBeNull();
});

it("shows the usual metrics that are there, a line a run in a hue and letter of its own", async () => {
  await open();
  expect([...new Set(charts.map(({ title }) => title))]).toEqual(["reward/score_mean", "kl/ref_k3_token"]);
  const lines = charts.at(-1)!.lines;
  expect(lines.map(({ letter }) => letter)).toEqual(["A", "B"]);
  expect(new Set(lines.map(({ colour }) => colour)).size).toBe(2);
});

it("takes metrics, smoothing and what stands across from the address", async () => {
  setQuery({ keys: "gradient/policy_norm,no/such", smooth: "0.9", x: "time" });
  await open();
  const last = charts.at(-1)!;
  expect(last).toMatchObject({ title: "gradient/policy_norm", smooth: 0.9, across: "seconds" });
  expect(document.querySelectorAll("[data-chart]")).toHaveLength(1);
  expect(asked.filter((path) => path.includes("/series")).every((path) => path.includes("time%2Ftotal_s"))).toBe(true);
});

it("may be without any metric", async () => {
  setQuery({ keys: "reward/score_mean" });
  const page = await open();
  page.querySelector<HTMLElement>("[aria-label='leave reward/score_mean out']")!.click();
  await settle();
  expect(view.value.query.keys).toBe("none");
  expect(page.textContent).toContain("No metric is chosen");
});

it("has before and after with the interval and the paired change, and NaN as it is", async () => {
  await open();
  const rows = [...table("Before and after PPO").querySelectorAll("tbody tr")].map((row) => row.textContent!);
  expect(rows[0]).toContain("40.0% → 90.0% [85.0%, 95.0%]change +50.0 [+40.0, +60.0] points");
  expect(rows[1]).toContain("length, tokens7 [6.5, 7.5]");
  expect(rows.find((row) => row.startsWith("reward of the last rollout"))).toContain("NaN");
});

it("says if runs were evaluated in different ways", async () => {
  answer = {
    ...answer,
    results: [answer.results[0]!, { ...answer.results[1]!, evaluation: evaluation(0.5, { samples: 64 }) }],
  };
  await open();
  expect(document.body.textContent).toContain("These runs were evaluated in different ways: samples 1024, 64.");
});

it("has its curves even if a run's folder is gone, and says so", async () => {
  const refusing = fetch;
  vi.stubGlobal("fetch", async (path: string) =>
    path.startsWith("/api/compare")
      ? Response.json({ error: "the folder of run a-2 is not in this workspace" }, { status: 409 })
      : refusing(path),
  );
  await open();
  expect(document.querySelector("[role=alert]")!.textContent).toContain("the folder of run a-2");
  expect(document.querySelectorAll("[data-chart]")).toHaveLength(2);
});

it("adds and leaves out runs, and asks anew", async () => {
  await open();
  const input = document.querySelector<HTMLInputElement>("input[list=runs-to-add]")!;
  input.value = "a-3";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  expect(location.hash).toContain("runs=a-1%2Ca-2%2Ca-3");
  document.querySelector<HTMLElement>("[aria-label='leave a-1 out']")!.click();
  expect(location.hash).toContain("runs=a-2");
});

it("without runs says how to choose them", async () => {
  setQuery({ runs: "" });
  await open();
  expect(document.body.textContent).toContain("Add runs above");
  expect(asked.some((path) => path.startsWith("/api/compare"))).toBe(false);
});

it("groups seeds of equal settings into one line with a band, and one by one or by hand when asked", async () => {
  const ids = ["a-1", "a-2", "a-3"];
  answer = {
    ...answer,
    runs: ids.map(run),
    settings: [
      { key: "seed", values: [1, 2, 1] },
      { key: "ppo.epochs", values: [4, 4, 2] },
    ],
    results: ids.map((id, i) => ({ run: id, evaluation: evaluation(0.5 + 0.1 * i), latest: {} })),
  };
  setQuery({ runs: ids.join(",") });
  await open();
  const lines = () => charts.at(-1)!.lines.map(({ label, band }) => [label, band !== undefined]);
  expect(lines()).toEqual([
    ["A, mean of 2", true],
    ["B", false],
  ]);
  expect(document.querySelector(".verdict")!.textContent).toContain("B differs only in ppo.epochs. Chance");
  expect(table("Groups after PPO").textContent).toContain("55.0% (50.0% to 60.0%, 2 runs)");
  const press = async (name: string) => {
    [...document.querySelectorAll("button")].find(({ textContent }) => textContent.startsWith(name))!.click();
    await settle();
  };
  await press("each run");
  expect(lines().map(([label]) => label)).toEqual(["A", "B", "C"]);
  await press("grouped by hand");
  const select = document.querySelector<HTMLSelectElement>("[aria-label='group of a-3']")!;
  select.value = "0";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
  expect(view.value.query.hand).toBe("0,1,0");
  expect(lines().map(([label]) => label)).toEqual(["A, mean of 2", "B"]);
});
