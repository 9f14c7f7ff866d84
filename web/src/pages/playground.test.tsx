// @vitest-environment happy-dom
/** The playground: turns with two models, and blind choices whose names are hidden until one is preferred. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ReplyRequest, WorkspaceModel } from "../../../src/types/playground-page.ts";

vi.mock("../state/live.ts", async () => {
  const { signal } = await import("@preact/signals");
  return { summaries: signal(new Map()), gone: signal(new Set()), line: signal("live"), watch: () => () => {} };
});
const { PlaygroundPage } = await import("./playground.tsx");
const { view } = await import("../router.ts");
const { workspace } = await import("../state/workspace.ts");

const model = (stage: "ppo" | "sft"): WorkspaceModel => ({
  path: `runs/a-1/${stage}/final`,
  run: "a-1",
  stage,
  step: null,
});
const models = [model("ppo"), model("sft")];
let asked: ReplyRequest[] = [];
let kept: object[] = [];

beforeEach(() => {
  asked = [];
  kept = [];
  sessionStorage.clear();
  workspace.value = { version: "", workspace: "runs", self: "ballast", option: "", mayChange: true, now: 0 };
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    if (path === "/api/playground") return Response.json({ models, loaded: [] });
    const body = init?.body === undefined ? null : JSON.parse(String(init.body));
    if (path === "/api/playground/reply") {
      asked.push(body);
      const text = `${body.model.includes("ppo") ? "short" : "long <b>x</b>"} ${body.messages.length}`;
      const done = { kind: "done", text, tokens: 3, promptTokens: 5, stopReason: "stop", seconds: 0.1 };
      const lines = [{ kind: "note", says: "loading" }, { kind: "text", text: "s" }, done];
      return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    }
    kept.push({ path, ...body });
    return Response.json({ id: 1, message: "kept", version: null });
  });
});
afterEach(() => act(() => render(null, document.body)));

async function open(query: Record<string, string>): Promise<void> {
  view.value = { path: ["playground"], query: { a: models[0]!.path, b: models[1]!.path, ...query } };
  act(() => render(<PlaygroundPage />, document.body));
  await settled();
}
async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
}
async function say(label: string, text: string): Promise<void> {
  const field = document.querySelector<HTMLTextAreaElement>(label)!;
  field.value = text;
  act(() => void field.dispatchEvent(new Event("input", { bubbles: true })));
  act(() => void field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true })));
  await settled();
}
const button = (name: string) =>
  [...document.querySelectorAll("button")].find(({ textContent }) => textContent.startsWith(name))!;

it("asks both models, each with its own history, and shows text as text", async () => {
  await open({});
  await say("[aria-label='your message']", "hello");
  await say("[aria-label='your message']", "again");
  expect(asked.map(({ messages }) => messages.length)).toEqual([1, 1, 3, 3]);
  expect(asked[3]!.messages[1]).toEqual({ role: "assistant", content: "long <b>x</b> 1" });
  const rows = [...document.querySelectorAll(".turns > li")].map(({ textContent }) => textContent);
  expect(rows).toEqual(["helloshort 1long <b>x</b> 1", "againshort 3long <b>x</b> 3"]);
  expect(document.querySelector(".turns b")).toBeNull();
});

it("hides the names until an answer is preferred, then keeps the choice once and shows them", async () => {
  await open({ mode: "rate" });
  await say(".talk-form textarea", "say red");
  const cards = () => [...document.querySelectorAll(".talk-row .card")].map(({ textContent }) => textContent);
  expect(cards().join()).not.toMatch(/a-1|PPO|SFT|token/);
  const second = cards()[1]!.includes("short") ? "short 1" : "long <b>x</b> 1";
  const first = second === "short 1" ? "long <b>x</b> 1" : "short 1";
  await act(() => {
    // Pressed twice at once, it is one choice.
    button("2 is better").click();
    button("2 is better").click();
  });
  await settled();
  expect(kept).toEqual([{ path: "/api/runs/a-1/preferences", prompt: "say red", chosen: second, rejected: first }]);
  expect(cards()[1]).toMatch(second === "short 1" ? /a-1, PPO ✓/ : /a-1, SFT ✓/);
  expect(button("2 is better").disabled).toBe(true);
});
