// @vitest-environment happy-dom
/** The page of runs in use: searched, sorted, selected, marked. */
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { RunSummary, RunsAnswer } from "../../../src/types/page.ts";

vi.mock("../state/live.ts", async () => {
  const { signal } = await import("@preact/signals");
  return { summaries: signal(new Map()), gone: signal(new Set()), line: signal("live"), watch: () => () => {} };
});

const { RunsPage } = await import("./runs.tsx");
const { summaries } = await import("../state/live.ts");
const { setQuery, view } = await import("../router.ts");
const { workspace } = await import("../state/workspace.ts");

const run = (id: string, createdAt: number, more: Partial<RunSummary> = {}): RunSummary => ({
  id,
  objective: "Prefer short answers.",
  seed: 1,
  createdAt,
  state: "done",
  alive: false,
  lastBeat: null,
  attempt: 1,
  position: { stage: "ppo", iteration: 11, of: 50 },
  health: 90,
  reward: 0.5,
  kl: 0.1,
  openIncidents: 0,
  tags: [],
  note: "",
  archived: false,
  ...more,
});

let runs: RunSummary[] = [];
let posts: { path: string; body: unknown }[] = [];
let refuse = false;

beforeEach(() => {
  runs = [
    run("demo-1", 1, { tags: ["baseline"], kl: "NaN" }),
    run("demo-2", 2, { state: "stopped", openIncidents: 1, health: 40 }),
    run("demo-3", 3, { state: "running", lastBeat: Date.now() - 3000, note: '<img src=x onerror="alert(1)">' }),
    run("demo-0", 0, { archived: true }),
  ];
  posts = [];
  refuse = false;
  summaries.value = new Map();
  workspace.value = { version: "0", workspace: "runs", self: "./bin/ballast", option: "", mayChange: true, now: 0 };
  history.replaceState(null, "", "#/runs");
  view.value = { path: ["runs"], query: {} };
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    if (init?.method === "POST") {
      posts.push({ path, body: JSON.parse(String(init.body)) });
      return refuse
        ? Response.json({ error: "No.", hint: "Ask for the token." }, { status: 403 })
        : Response.json({ id: 1, message: "", version: null });
    }
    return Response.json({ runs: [...runs].reverse() } satisfies RunsAnswer);
  });
});

afterEach(() => render(null, document.body));

async function open(): Promise<HTMLElement> {
  render(<RunsPage />, document.body);
  await settle();
  return document.body;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 4));
}

async function press(key: string): Promise<void> {
  (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  await settle();
}

const ids = () => [...document.querySelectorAll("[data-run]")].map((row) => row.getAttribute("data-run"));
const row = (id: string) => document.querySelector(`[data-run="${id}"]`)!;
const button = (text: RegExp) =>
  [...document.querySelectorAll("button")].find((one) =>
    text.test(one.getAttribute("aria-label") ?? one.textContent!),
  )!;

it("says of each run its state and heartbeat, progress, health in a word, and what waits for an operator", async () => {
  await open();
  expect(ids()).toEqual(["demo-3", "demo-2", "demo-1"]);
  expect(row("demo-3").textContent).toMatch(/running\s+3 s ago.*PPO 12\/50.*90 ● good/);
  expect(row("demo-2").textContent).toMatch(/stopped by the controller.*1 incident.*40 ○ poor/);
  expect(row("demo-1").textContent).toContain("NaN");
  // Users' input is text.
  expect(row("demo-3").textContent).toContain("<img src=x");
  expect(document.querySelector("img")).toBeNull();
});

it("is searched, filtered and ordered through the address", async () => {
  await open();
  setQuery({ q: "baseline" });
  await settle();
  expect(ids()).toEqual(["demo-1"]);
  setQuery({ q: "", state: "incident" });
  await settle();
  expect(ids()).toEqual(["demo-2"]);
  setQuery({ state: "", archived: "1", sort: "health" });
  await settle();
  expect(ids()[0]).toBe("demo-2");
  expect(ids()).toContain("demo-0");
  button(/^Health/).click();
  await settle();
  expect(location.hash).toContain("sort=-health");
  expect(document.querySelector("[aria-sort]")?.getAttribute("aria-sort")).toBe("descending");
});

it("is walked with j and k, chooses with x, and compares with c", async () => {
  await open();
  await press("j");
  await press("x");
  expect(document.activeElement?.textContent).toBe("demo-3");
  expect(button(/^Compare/).disabled).toBe(true);
  await press("j");
  await press("x");
  expect(view.value.query).toMatchObject({ at: "demo-2", chosen: "demo-3,demo-2" });
  expect(document.body.textContent).toContain("./bin/ballast compare demo-3 demo-2");
  await press("c");
  expect(location.hash).toBe("#/compare?runs=demo-3%2Cdemo-2");
});

it("changes tags, note and archive in place, and takes back what the server refuses", async () => {
  await open();
  await press("j");
  await press("e");
  const input = document.querySelector<HTMLInputElement>("input[name=tag]")!;
  input.value = "keep, seed 2";
  input.form!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  await settle();
  expect(posts.map(({ body }) => body)).toEqual([
    { kind: "tag", value: "keep", present: true },
    { kind: "tag", value: "seed 2", present: true },
  ]);
  expect(posts[0]!.path).toBe("/api/runs/demo-3/marks");
  expect(row("demo-3").textContent).toMatch(/keep.*seed 2/);

  const note = document.querySelector("textarea")!;
  note.value = "good";
  note.dispatchEvent(new Event("blur"));
  await settle();
  expect(posts.at(-1)!.body).toEqual({ kind: "note", value: "good", present: true });

  refuse = true;
  await press("a");
  expect(posts.at(-1)!.body).toEqual({ kind: "archived", value: "", present: true });
  expect(ids()).toContain("demo-3");
  expect(document.querySelector("[role=alert]")?.textContent).toContain("Ask for the token.");

  refuse = false;
  await press("a");
  expect(ids()).not.toContain("demo-3");
});

it("shows no way to change anything if the page has no token", async () => {
  workspace.value = { ...workspace.value!, mayChange: false };
  setQuery({ edit: "demo-3" });
  await open();
  expect(document.querySelector("textarea")).toBeNull();
  expect(document.body.textContent).toContain("carries the token");
});

it("tells of a run that began since, and of changes, as the stream does", async () => {
  await open();
  summaries.value = new Map([
    ["demo-4", run("demo-4", 4, { state: "running" })],
    ["demo-3", run("demo-3", 3, { state: "lost" })],
  ]);
  await settle();
  expect(ids()).toEqual(["demo-4", "demo-3", "demo-2", "demo-1"]);
  expect(row("demo-3").textContent).toContain("lost");
});

it("an empty workspace says what to type first; a filter that fits nothing says how to see all", async () => {
  setQuery({ q: "nothing like it" });
  await open();
  expect(document.body.textContent).toContain("No run matches.");
  button(/^Show all/).click();
  await settle();
  expect(ids()).toHaveLength(3);
  render(null, document.body);
  runs = [];
  await open();
  workspace.value = { ...workspace.value!, option: "--workspace /tmp/runs" };
  await settle();
  expect(document.body.textContent).toContain("./bin/ballast demo workspace=/tmp/runs");
});
