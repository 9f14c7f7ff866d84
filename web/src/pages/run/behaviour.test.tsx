// @vitest-environment happy-dom
/** The behaviour view in use: two points compared, what flipped, what the reward gained, what is missing. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Evaluation } from "../../../../src/types/evaluation.ts";
import type {
  AnswersAnswer,
  BehaviourAnswer,
  BehaviourPoint,
  RunAnswer,
  RunSummary,
} from "../../../../src/types/page.ts";
import type { ChartProps } from "../../components/chart.tsx";
import { colourOf } from "../../hues.ts";
import { emptyColumn } from "../../state/column.ts";
import type { RunData } from "../../state/run-data.ts";

vi.mock("../../state/live.ts", () => ({ summaries: signal(new Map()), line: signal("live"), watch: () => () => {} }));
// There is no canvas in this environment.
vi.mock("../../components/chart.tsx", () => ({
  Chart: ({ title, lines, marks, onPick }: ChartProps) => (
    <button type="button" class="chart" onClick={() => onPick?.(10)}>
      {title}: {lines[0]!.column.mean.map((mean) => mean ?? "–").join(" ")}
      {lines[0]!.band && `, from ${lines[0]!.band.low.mean.join(" ")}`}
      {marks?.map(({ says }) => says)}
    </button>
  ),
}));

const { BehaviourTab } = await import("./behaviour.tsx");
const { hashOf, view } = await import("../../router.ts");

const estimate = (mean: number) => ({ mean, low: mean - 0.05, high: mean + 0.05, n: 128 });
const point = (iteration: number, gold: number, more: Partial<BehaviourPoint> = {}): BehaviourPoint => ({
  iteration,
  checks: { sums: estimate(gold), tone: estimate(0.5) },
  gold: estimate(gold),
  score: iteration,
  kl: iteration / 100,
  changed: iteration === 0 ? null : 0.5,
  consistency: null,
  ...more,
});
const hostile = '</script><img src=x onerror="alert(1)">';
const evaluation: Evaluation = {
  objective: "",
  samples: 100,
  temperature: 1,
  seed: 1,
  shares: ["sums"],
  before: { folder: "", figures: { sums: { ...estimate(0.5), greedy: 0.6 }, reward: estimate(1) } },
  after: { folder: "", figures: { sums: estimate(0.9), reward: estimate(0.5), [hostile]: estimate(1) } },
  differences: {
    sums: { difference: 0.4, low: 0.3, high: 0.5 },
    reward: { difference: -0.5, low: -1, high: 0.1 },
  },
  transcripts: [{ kind: "sums", prompt: "1 + 1?", before: null, after: hostile }],
  seenInTraining: true,
};

let behaviour: BehaviourAnswer;
let asked: string[] = [];

beforeEach(() => {
  asked = [];
  const points = [point(0, 0.5), point(10, 0.9), point(20, 0.6)];
  behaviour = { points, of: 3, checks: ["sums", "tone"], evaluation: null };
  at({});
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    if (!path.includes("/answers")) return Response.json(behaviour);
    const said = (response: string, sums: boolean) => ({ response, score: 1, verdicts: { sums } });
    return Response.json({
      a: 0,
      b: 20,
      rows: [
        { index: 0, kind: "sums", prompt: "what is 1 and 1?", a: said("it is 2.", true), b: said("it is 3.", false) },
        { index: 1, kind: "sums", prompt: hostile, a: said("yes.", true), b: said("yes.", true) },
      ],
    } satisfies AnswersAnswer);
  });
});

afterEach(() => render(null, document.body));

function at(query: Record<string, string>): void {
  const path = ["runs", "demo-1", "behaviour"];
  location.hash = hashOf(path, query);
  view.value = { path, query };
}

async function open(more: Partial<RunAnswer> = {}): Promise<HTMLElement> {
  const data = { id: "demo-1", want: () => () => {}, column: emptyColumn, drawn: signal(0) } as unknown as RunData;
  const answer = {
    stages: [{ stage: "ppo", done: 21, of: 50 }],
    config: {},
    keys: [],
    ...more,
  } as unknown as RunAnswer;
  render(
    <BehaviourTab data={data} answer={answer} run={{ state: "running", attempt: 1 } as RunSummary} />,
    document.body,
  );
  await settle();
  return document.body;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setTimeout(resolve, 4));
}

async function press(key: string): Promise<void> {
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  await settle();
}

it("has the run's hue", async () => {
  const page = await open();
  expect(page.querySelector<HTMLElement>(".behaviour")!.style.getPropertyValue("--hue")).toBe(
    `var(${colourOf("demo-1")})`,
  );
});

it("gives its points away in numbers", async () => {
  const save = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:");
  const page = await open();
  page.querySelector<HTMLElement>("[aria-label='CSV: evaluation set']")!.click();
  const [head, first] = (await (save.mock.calls[0]![0] as Blob).text()).split("\r\n");
  expect(head).toContain("iteration,sums right,sums right low,sums right high,tone");
  expect(first).toBe("0,0.5,0.45,0.55,0.5,0.45,0.55,0.5,0.45,0.55,0,0,,");
});

it("draws each check with its interval, and says where reward and gold part", async () => {
  const body = await open();
  const charts = [...body.querySelectorAll(".chart")].map((one) => one.textContent);
  expect(charts.map((text) => text!.split(":")[0])).toEqual(["gold", "sums right", "tone", "score", "answers changed"]);
  expect(charts[1]).toContain("0.5 0.9 0.6, from 0.45 0.85 0.5");
  expect(charts[1]).toContain("clearly below iteration 10");
  expect(body.textContent).toContain("gold went from 90.0% at iteration 10 to 60.0% at 20, the score from 10 to 20");
  expect(body.querySelectorAll(".path-plot .marked")).toHaveLength(1);
});

it("compares the newest point with the first; keys and charts choose another", async () => {
  const body = await open();
  expect(asked.at(-1)).toBe("/api/runs/demo-1/behaviour/answers?a=0&b=20");
  await press("ArrowLeft");
  expect(asked.at(-1)).toBe("/api/runs/demo-1/behaviour/answers?a=0&b=10");
  at({ a: "reference", b: "999" });
  await settle();
  expect(asked.at(-1)).toBe("/api/runs/demo-1/behaviour/answers?a=reference&b=20");
  (body.querySelector(".chart") as HTMLElement).click();
  expect(view.value.query.b).toBe("10");
});

it("marks the words that changed, and filters by what flipped", async () => {
  const body = await open();
  expect(body.querySelectorAll("article")).toHaveLength(2);
  const [first] = body.querySelectorAll("article");
  expect([first!.querySelector("del")!.textContent, first!.querySelector("ins")!.textContent]).toEqual(["2", "3"]);
  expect(first!.textContent).toContain("✓→✗ sums right");
  const counts = [...body.querySelectorAll(".switch button b")].map((one) => one.textContent);
  expect(counts).toEqual(["2", "1", "0", "1"]);
  await press("f");
  expect(view.value.query.only).toBe("changed");
  expect(body.querySelectorAll("article")).toHaveLength(1);
  at({ only: "right" });
  await settle();
  expect(body.textContent).toContain("None of 2 answers");
});

it("tables the final evaluation with intervals, and whether a change is clear; text is text", async () => {
  behaviour = { ...behaviour, evaluation };
  const body = await open();
  const rows = [...body.querySelectorAll(".evaluation tbody tr")].map((one) => one.textContent);
  expect(rows[0]).toContain(
    "sums right50.0% [45.0%, 55.0%] greedy 60.0% 90.0% [85.0%, 95.0%] +40.0 [30.0, 50.0] points ▲",
  );
  expect(rows[1]).toContain("−0.5 [−1, 0.1] ≈");
  expect(body.textContent).toContain("only memorisation");
  expect(body.textContent).toContain("no model before");
  expect(body.textContent).toContain(hostile);
  expect(body.querySelector("img")).toBeNull();
});

it("says how many measurements there are if not all are shown", async () => {
  const said = "measurements, evenly spread";
  expect((await open()).textContent).not.toContain(said);
  render(null, document.body);
  behaviour = { ...behaviour, of: 1_000 };
  expect((await open()).textContent).toContain(`3 of 1000 ${said}`);
});

it("says how to get a monitoring set, and draws the figures of runs that kept no answers", async () => {
  behaviour = { points: [], of: 0, checks: [], evaluation: null };
  expect((await open()).textContent).toContain("control.monitor.prompts.path");
  render(null, document.body);
  expect((await open({ stages: [], config: { demo: { task: "helpdesk" } } })).textContent).toContain("first iteration");
  render(null, document.body);
  const body = await open({ keys: [{ stage: "ppo", key: "monitor/gold" }] });
  expect(body.querySelector(".chart")!.textContent).toContain("gold");
});
