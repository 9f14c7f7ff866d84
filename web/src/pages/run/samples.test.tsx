// @vitest-environment happy-dom
/** The samples view in use: iterations, tokens, pins, searches; a model's text is only ever text. */
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { PageSample, RunAnswer, RunSummary } from "../../../../src/types/page.ts";
import type { RunData } from "../../state/run-data.ts";

vi.mock("../../state/live.ts", async () => {
  const { signal } = await import("@preact/signals");
  return { summaries: signal(new Map()), gone: signal(new Set()), line: signal("live"), watch: () => () => {} };
});

const { SamplesTab } = await import("./samples.tsx");
const { hashOf, view } = await import("../../router.ts");
const { workspace } = await import("../../state/workspace.ts");

const sampleOf = (seq: number, iteration: number, more: Partial<PageSample> = {}): PageSample => ({
  seq,
  attempt: 1,
  iteration,
  index: seq,
  reason: "chosen",
  prompt: `prompt ${seq}`,
  response: "yes, it is.",
  score: seq / 10,
  components: { model: seq / 10, brief: 1 },
  kl: -seq,
  stopReason: "stop",
  unsafe: false,
  tokens: ["yes", ",", "it", "is", ".", "<eos>"],
  logprobs: [-0.5, -0.1, -0.1, -0.1, -0.1, -0.1],
  refLogprobs: [-1.25, -0.1, -0.1, -0.1, "-Infinity", -0.1],
  values: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
  advantages: [2, -2, 0, 1, "NaN", 0],
  cut: null,
  ...more,
});

const megabyte = "word ".repeat(200_000);
const hostile = '<img src=x onerror="alert(1)">\u202e\u0007';
let iterations: number[] = [];
let asked: string[] = [];
let posts: unknown[] = [];
let refuse = false;
let pinned: PageSample[] = [];

beforeEach(() => {
  [iterations, asked, posts, refuse, pinned] = [[0, 5, 9], [], [], false, []];
  workspace.value = { version: "0", workspace: "runs", self: "./bin/ballast", option: "", mayChange: true, now: 0 };
  at({});
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    if (init?.method === "POST") {
      posts.push(JSON.parse(String(init.body)));
      return refuse ? Response.json({ error: "No.", hint: "Ask." }, { status: 403 }) : Response.json({ id: 1 });
    }
    asked.push(path);
    const { pathname, searchParams: query } = new URL(path, "http://localhost");
    if (pathname.endsWith("/iterations")) return Response.json({ iterations });
    if (pathname.endsWith("/answers"))
      return Response.json({
        a: "reference",
        b: 0,
        rows: [
          { index: 0, kind: null, prompt: "prompt 91", a: { response: "of old", score: 1, verdicts: {} }, b: null },
        ],
      });
    if (query.get("filter") === "pinned") return Response.json({ samples: pinned, more: false });
    const iteration = Number(query.get("iteration"));
    if (!query.has("iteration")) return Response.json({ samples: [sampleOf(7, 0, { unsafe: true })], more: true });
    return Response.json({
      samples: [
        sampleOf(10 * iteration + 1, iteration),
        sampleOf(10 * iteration + 2, iteration, { prompt: hostile, score: "NaN" }),
        sampleOf(10 * iteration + 3, iteration, { reason: "worst", stopReason: "length", score: -4 }),
      ],
      more: false,
    });
  });
});

afterEach(() => render(null, document.body));

function at(query: Record<string, string>): void {
  const path = ["runs", "demo-1", "samples"];
  location.hash = hashOf(path, query);
  view.value = { path, query };
}

async function open(done = 10): Promise<HTMLElement> {
  const answer = { stages: [{ stage: "ppo", done, of: 20 }] } as unknown as RunAnswer;
  render(
    <SamplesTab data={{ id: "demo-1" } as RunData} answer={answer} run={{ alive: true } as RunSummary} />,
    document.body,
  );
  await settle();
  return document.body;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setTimeout(resolve, 4));
}

async function press(key: string, target: Element = document.body): Promise<void> {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  await settle();
}

const names = () => [...document.querySelectorAll("article")].map((one) => one.getAttribute("aria-label"));
const button = (text: string, within: ParentNode = document) =>
  [...within.querySelectorAll("button")].find((one) => one.textContent?.includes(text))!;

it("shows the newest iteration and follows it, until an operator chooses one with the keys", async () => {
  const body = await open();
  expect(body.querySelector("output")!.textContent).toBe("9 of 0 to 9");
  expect(names()).toHaveLength(3);
  iterations = [0, 5, 9, 12];
  await open(13);
  expect(body.querySelector("output")!.textContent).toBe("12 of 0 to 12");
  await press("ArrowLeft");
  await press("ArrowLeft");
  expect(view.value.query.it).toBe("5");
  iterations = [0, 5, 9, 12, 13];
  await open(14);
  expect(body.querySelector("output")!.textContent).toBe("5 of 0 to 13");
  await press("n");
  expect(view.value.query.it).toBeUndefined();
});

it("shows the iteration before one that kept no samples, and says so", async () => {
  at({ it: "8" });
  const body = await open();
  expect(body.textContent).toContain("No samples of 8");
  expect(names()[0]).toBe("iteration 5, sample 51");
});

it("colours tokens, and tells the numbers of the one under the pointer or the focus", async () => {
  const body = await open();
  const tokens = body.querySelector("[role=listbox]")!;
  const classes = [...tokens.querySelectorAll("[role=option]")].map((one) => one.className);
  expect(classes).toEqual(["lv lv-high-4", "lv lv-low-4", "lv", "lv lv-high-2", "lv lv-bad", "lv"]);
  expect(tokens.textContent).toBe("yes, it is.<eos>");
  tokens.querySelector("[role=option]")!.dispatchEvent(new Event("pointerover", { bubbles: true }));
  await settle();
  const readout = () => body.querySelector(".readout")!.textContent;
  expect(readout()).toContain("log p −0.5reference −1.25KL 0.75advantage 2value 0.5");
  for (let i = 0; i < 4; i++) await press("ArrowRight", tokens);
  expect(readout()).toContain("reference −∞KL ∞advantage NaN");
  expect(view.value.query.it).toBeUndefined();
  expect(tokens.querySelectorAll("[aria-selected=true]")).toHaveLength(1);
  await press("c");
  expect(view.value.query.colour).toBe("kl");
});

it("text is text, and what acts in it is shown", async () => {
  const body = await open();
  expect(body.querySelector("img")).toBeNull();
  expect(body.textContent).toContain('<img src=x onerror="alert(1)">⟨U+202E⟩␇');
  await press("w");
  expect(body.textContent).toContain("<img·src=x");
});

it("a megabyte comes in pieces", async () => {
  const tokens = megabyte.split(/(?<= )/);
  const numbers = tokens.map(() => 0);
  pinned = [
    sampleOf(1, 0, {
      prompt: megabyte,
      response: megabyte,
      ...{ tokens, logprobs: numbers, refLogprobs: numbers, values: numbers, advantages: numbers },
    }),
  ];
  const body = await open();
  expect(body.textContent!.length).toBeLessThan(20_000);
  const before = body.querySelectorAll("[role=option]").length;
  expect(before).toBeLessThan(500);
  button("more of the response").click();
  await settle();
  expect(body.querySelectorAll("[role=option]").length).toBe(before + 4_000);
});

it("a pinned sample stays on top; a pin that is refused is taken back, and said", async () => {
  const body = await open();
  button("pin", body.querySelectorAll("article")[2]!).click();
  await settle();
  expect(posts).toEqual([{ kind: "pin", value: "93", present: true }]);
  expect(names()).toEqual(["iteration 9, sample 93", "iteration 9, sample 91", "iteration 9, sample 92"]);
  await press("ArrowLeft");
  expect(names()[0]).toBe("iteration 9, sample 93");
  refuse = true;
  button("pin", body.querySelectorAll("article")[1]!).click();
  await settle();
  expect(body.querySelector("[role=alert]")!.textContent).toContain("Ask.");
  expect(body.querySelectorAll(".pinned article")).toHaveLength(1);
});

it("searches all iterations by text, filter and prompt, and goes back", async () => {
  at({ q: "tea", filter: "unsafe", prompt: "93" });
  const body = await open();
  expect(asked).toContain("/api/runs/demo-1/samples?stage=ppo&q=tea&filter=unsafe&prompt=93&limit=100");
  expect(body.querySelector("h2")!.textContent).toContain("The first 1 sample of all iterations");
  expect(body.textContent).toContain("tripped the safety filter");
  await press("b");
  expect(view.value.query).toEqual({});
  expect(names()).toHaveLength(3);
});

it("keeps a letter that is typed just as the search begins", async () => {
  const body = await open();
  const field = body.querySelector<HTMLInputElement>("input[type=search]")!;
  const type = (text: string) => {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  type("te");
  await new Promise<void>((resolve) => {
    const end = view.subscribe(({ query }) => {
      if (query.q !== "te") return;
      type("tea");
      resolve();
      queueMicrotask(() => end());
    });
  });
  await settle();
  expect(field.value).toBe("tea");
  await vi.waitFor(() => expect(view.value.query.q).toBe("tea"));
});

it("links to an iteration and to a prompt keep how samples are shown, and end the search", async () => {
  at({ q: "tea", filter: "unsafe", sort: "-kl", spaces: "1", beside: "reference" });
  const body = await open();
  const [iteration, same] = [...body.querySelectorAll<HTMLAnchorElement>("article a")].map(({ hash }) => hash);
  expect(iteration).toBe("#/runs/demo-1/samples?sort=-kl&spaces=1&beside=reference&it=0");
  expect(same).toBe("#/runs/demo-1/samples?sort=-kl&spaces=1&beside=reference&prompt=7");
});

it("sorts, with what is not finite before all", async () => {
  at({ sort: "-score" });
  await open();
  expect(names().map((name) => name!.split(" ").at(-1))).toEqual(["92", "91", "93"]);
});

it("has the reference's answer if it was asked the same", async () => {
  const body = await open();
  await press("r");
  const said = [...body.querySelectorAll(".reference")].map((one) => one.textContent);
  expect(said[0]).toContain("of old");
  expect(said[1]).toContain("not asked this");
  await press("ArrowLeft");
  expect(body.textContent).toContain("The reference answered none of these prompts");
  expect(body.querySelector(".reference")).toBeNull();
});

it("says what is missing if there is nothing yet", async () => {
  iterations = [];
  expect((await open()).textContent).toContain("No samples yet");
});
