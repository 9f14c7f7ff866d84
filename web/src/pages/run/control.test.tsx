// @vitest-environment happy-dom
/** The Control view in use: decides, steers, is refused, and loses none of the typed text. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ControlAnswer, PageEvent, PageRule, RunAnswer, RunSummary } from "../../../../src/types/page.ts";
import type { RunData } from "../../state/run-data.ts";

vi.mock("../../state/live.ts", async () => {
  const { signal: made } = await import("@preact/signals");
  return { summaries: made(new Map()), line: made("live"), watch: () => () => {} };
});
vi.mock("../../components/chart.tsx", () => ({
  Chart: ({ title, thresholds = [], marks = [] }: { title: string; thresholds: unknown[]; marks: unknown[] }) => (
    <figure data-thresholds={thresholds.length} data-marks={marks.length}>
      {title}
    </figure>
  ),
}));

const { ControlTab } = await import("./control.tsx");
const { emptyColumn } = await import("../../state/column.ts");
const { workspace } = await import("../../state/workspace.ts");
const { dropDraft } = await import("../../state/draft.ts");
const { view } = await import("../../router.ts");

const run: RunSummary = {
  id: "demo-1",
  objective: "Prefer short answers.",
  seed: 1,
  createdAt: 0,
  state: "paused",
  alive: true,
  lastBeat: 0,
  attempt: 1,
  position: { stage: "ppo", iteration: 25, of: 50 },
  health: 40,
  reward: 0,
  kl: 0.1,
  openIncidents: 1,
  tags: [],
  note: "",
  archived: false,
};
const rule: PageRule = {
  id: "kl_hard",
  tier: 1,
  says: "approx KL",
  condition: "> 0.15",
  action: "saved, paused",
  signal: "kl/old_new_k3_token",
  above: 0.15,
  below: null,
  statistic: "value",
  source: "a paper",
  spoke: 1,
  acted: 1,
  lastSpoke: 25,
};
const incident: ControlAnswer["incidents"][number] = {
  id: 3,
  runId: "demo-1",
  attempt: 1,
  stage: "ppo",
  iteration: 25,
  rule: "kl_hard",
  summary: "approx KL 1.22 > 0.15",
  openedAt: 0,
  decision: null,
  evidence: {
    alert: {
      rule: "kl_hard",
      tier: 1,
      iteration: 25,
      since: 25,
      point: "updated",
      step: null,
      signal: "kl/old_new_k3_token",
      values: [1.22],
      condition: "> 0.15",
      message: "approx KL 1.22 > 0.15",
    },
    iterations: [
      { iteration: 24, values: { "kl/old_new_k3_token": 0.01 } },
      { iteration: 25, values: { "kl/old_new_k3_token": 1.22 } },
    ],
    worstSamples: [{ prompt: "a pen?", response: "<img src=x onerror=alert(1)>\u202e", score: -1 }],
    changes: [],
    active: [],
    checkpoints: { before: "/r/ppo/checkpoint-000025", present: null, lastHealthy: "/r/ppo/checkpoint-000020" },
  },
};
const start: ControlAnswer = {
  profile: "adaptive",
  interventions: "on",
  rules: [rule, { ...rule, id: "ratio", tier: 2, statistic: "ratio_to_median", spoke: 0, acted: 0, lastSpoke: null }],
  active: [],
  incidents: [incident],
  health: { total: 40, parts: { update_size: 0, gradient: "NaN" }, lowered: ["update size 0: approx KL 1.22"] },
  commands: [],
  settable: [
    { key: "ppo.learningRate", value: 3e-4 },
    { key: "ppo.kl.coef", value: 0.05 },
  ],
  checkpoints: [
    { iteration: 20, healthy: true },
    { iteration: 25, healthy: false },
  ],
  version: "v1",
};

let control: ControlAnswer;
let refusal: { readonly status: number; readonly body: object } | null;
/** Iterations that the diagnosis knows. */
let diagnosed = 25;
let posts: { path: string; body: unknown; version: string | null }[];
const box = document.createElement("div");

beforeEach(() => {
  document.body.append(box);
  [control, refusal, posts, diagnosed] = [start, null, [], 25];
  workspace.value = { version: "0", workspace: "runs", self: "ballast", option: "", mayChange: true, now: 0 };
  view.value = { path: ["runs", "demo-1", "control"], query: {} };
  HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
    this.open = true;
  };
  vi.stubGlobal("fetch", async (path: string, init?: RequestInit) => {
    if (init?.method === "POST") {
      const version = new Headers(init.headers).get("if-match");
      posts.push({ path, body: JSON.parse(String(init.body)), version });
      return refusal === null
        ? Response.json({ id: 1, message: "It does it now.", version: "v2" })
        : Response.json(refusal.body, { status: refusal.status });
    }
    if (path.endsWith("/control")) return Response.json(control);
    return Response.json({ iterations: diagnosed, diagnoses: [], phases: [], findings: null });
  });
});

afterEach(() => {
  act(() => render(null, box));
  for (const name of ["decision demo-1 3", "reason demo-1", "set demo-1"]) dropDraft(name);
  vi.unstubAllGlobals();
});

async function show(more: Partial<RunSummary> = {}, events: readonly PageEvent[] = []): Promise<void> {
  const answer = { argument: "demo-1", keys: [{ stage: "ppo", key: rule.signal }], version: control.version };
  const columns = { want: () => () => {}, column: emptyColumn, drawn: signal(0) };
  const data = {
    id: "demo-1",
    answer: signal(answer),
    events: signal(events),
    olderEvents: signal(false),
    zoom: () => {},
    whole: columns,
    ...columns,
  } as unknown as RunData;
  act(() => render(<ControlTab data={data} answer={answer as unknown as RunAnswer} run={{ ...run, ...more }} />, box));
  await settled();
}

/** Effects run as an act ends, and send requests; their answers are drawn in the next one. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await act(() => new Promise((resolve) => setTimeout(resolve, 5)));
}

function the<Kind extends HTMLElement>(selector: string): Kind {
  const found = box.querySelector<Kind>(selector);
  if (found === null) throw new Error(`no ${selector} in ${box.textContent}`);
  return found;
}

function button(name: string, within: ParentNode = box): HTMLButtonElement {
  const found = [...within.querySelectorAll("button")].find(({ textContent }) => textContent.startsWith(name));
  if (found === undefined) throw new Error(`no button ${name}`);
  return found;
}

async function type(element: HTMLInputElement | HTMLTextAreaElement, text: string): Promise<void> {
  element.value = text;
  await act(() => void element.dispatchEvent(new Event("input", { bubbles: true })));
}

async function press(element: HTMLElement): Promise<void> {
  await act(() => element.click());
  await settled();
}

it("shows an open incident first, with what a model wrote as text alone", async () => {
  await show();
  expect(the(".control section").textContent).toContain("Waits for you");
  expect(box.querySelector("img")).toBeNull();
  expect(the(".worst").textContent).toContain("<img src=x onerror=alert(1)>⟨U+202E⟩");
  expect(the("figure").dataset.thresholds).toBe("1");
});

it("writes the command as one types, and sends nothing without a reason", async () => {
  await show();
  expect(the(".decision .same").textContent).toContain("resolve 3 --rollback last-healthy --reason");
  await press(button("Roll back to iteration 20"));
  expect(posts).toEqual([]);
  expect(document.activeElement).toBe(the(".decision textarea"));

  await press(button("+ change a setting"));
  await type(the(".decision .setting-row input"), "1e-4");
  await type(the(".decision textarea"), "too fast");
  expect(the(".decision .same code").textContent).toBe(
    "ballast incidents resolve 3 --rollback last-healthy --set ppo.learningRate=1e-4 --reason 'too fast'",
  );
  await press(button("Roll back to iteration 20"));
  expect(posts).toEqual([
    {
      path: "/api/incidents/3/decision",
      body: { action: "rollback", to: "last-healthy", set: ["ppo.learningRate=1e-4"], reason: "too fast" },
      version: '"v1"',
    },
  ]);
});

it("says after the decision what happens now, and the command if no process is there", async () => {
  await show({ alive: false, state: "stopped" });
  await type(the(".decision textarea"), "too fast");
  control = {
    ...start,
    version: "v2",
    incidents: [
      {
        ...incident,
        decision: {
          action: "rollback",
          to: 20,
          changes: [],
          reason: "too fast",
          operator: "ann",
          decidedAt: Date.now(),
        },
      },
    ],
  };
  await press(button("Roll back to iteration 20"));
  expect(box.querySelector(".decision")).toBeNull();
  expect(the(".aftermath").textContent).toContain("roll back to iteration 20: too fast");
  expect(the(".aftermath .command code").textContent).toBe("ballast resume demo-1");
  expect(document.activeElement).toBe(the(".aftermath"));
});

it("shows what changed if a press is refused for it, keeps what was typed, and sends the new version next", async () => {
  await show();
  await type(the(".decision textarea"), "too fast");
  refusal = { status: 409, body: { error: "the run has changed since: a command was given", hint: "Look again." } };
  const command = { id: 9, kind: "save" as const, payload: {}, reason: "by night", operator: "ann", createdAt: 0 };
  control = { ...start, version: "v2", commands: [{ ...command, appliedStage: null, appliedIteration: null }] };
  await press(button("Roll back to iteration 20"));
  expect(the(".decision .problem").textContent).toContain("Someone gave a command: save (by night).");
  expect(the<HTMLTextAreaElement>(".decision textarea").value).toBe("too fast");
  refusal = null;
  await press(button("Roll back to iteration 20"));
  expect(posts.map(({ version }) => version)).toEqual(['"v1"', '"v2"']);
});

it("keeps a form that is being filled in when news comes, and when the view is left and opened again", async () => {
  await show();
  const field = the<HTMLTextAreaElement>(".decision textarea");
  await type(field, "half a rea");
  control = { ...start, version: "v2" };
  await show({ position: { stage: "ppo", iteration: 26, of: 50 } });
  expect(the(".decision textarea")).toBe(field);
  act(() => render(null, box));
  await show();
  expect(the<HTMLTextAreaElement>(".decision textarea").value).toBe("half a rea");
});

it("tells a running trainer, with the reason that was given", async () => {
  control = { ...start, incidents: [] };
  await show({ state: "running" });
  await type(the(".steer .line-field input"), "lunch");
  expect(the(".tell-list code").textContent).toBe("ballast tell demo-1 pause --reason lunch");
  await press(button("Pause"));
  expect(posts).toEqual([
    { path: "/api/runs/demo-1/commands", body: { kind: "pause", reason: "lunch" }, version: '"v1"' },
  ]);
  expect(the(".steer .sent").textContent).toContain("It does it now.");
  expect(the<HTMLInputElement>(".steer .line-field input").value).toBe("");
});

it("asks before it stops a run", async () => {
  control = { ...start, incidents: [] };
  await show({ state: "running" });
  button("Stop").focus();
  await press(button("Stop"));
  expect(posts).toEqual([]);
  await press(button("Keep it running", the("dialog")));
  expect(box.querySelector("dialog")).toBeNull();
  expect(document.activeElement).toBe(button("Stop"));
  await press(button("Stop"));
  await press(button("Stop it", the("dialog")));
  expect(posts).toMatchObject([{ body: { kind: "stop" } }]);
});

it("shows the server's word on a value in place, and keeps the value", async () => {
  control = { ...start, incidents: [] };
  await show({ state: "running" });
  refusal = { status: 400, body: { error: "ppo.learningRate: expected a number above 0, found -1" } };
  const field = the<HTMLInputElement>(".set-form input");
  await type(field, "-1");
  await press(button("Change", the(".set-form")));
  expect(posts).toMatchObject([{ body: { kind: "set", payload: { key: "ppo.learningRate", value: -1 } } }]);
  expect(the(".set-form .problem").textContent).toContain("expected a number above 0");
  expect(field.value).toBe("-1");
  expect(field.getAttribute("aria-invalid")).toBe("true");
});

it("keeps what is typed while a command is under way", async () => {
  control = { ...start, incidents: [] };
  await show({ state: "running" });
  const reason = the<HTMLInputElement>(".steer .line-field input");
  await type(reason, "lunch");
  act(() => button("Save").click());
  await type(reason, "lunch, then the kettle");
  await settled();
  expect(reason.value).toBe("lunch, then the kettle");

  const value = the<HTMLInputElement>(".set-form input");
  await type(value, "1e-4");
  act(() => button("Change", the(".set-form")).click());
  await type(value, "1e-5");
  await type(reason, "slower");
  await settled();
  expect(posts.map(({ body }) => body)).toMatchObject([{ kind: "save" }, { kind: "set", payload: { value: 1e-4 } }]);
  expect([value.value, reason.value]).toEqual(["1e-5", "slower"]);
});

it("takes letters for text from the key of the decision on, and pauses by no stray letter", async () => {
  const key = async (name: string) => {
    const target = document.activeElement ?? document.body;
    act(() => void target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true })));
    await settled();
  };
  await show();
  await key("d");
  expect(document.activeElement).toBe(the(".decision textarea"));
  the(".decision input:checked").focus();
  for (const letter of "spc") await key(letter);
  expect(document.activeElement).toBe(the(".decision input:checked"));
  expect(posts).toEqual([]);

  act(() => render(null, box));
  control = { ...start, incidents: [] };
  await show({ state: "running" });
  await key("p");
  expect(posts).toEqual([]);
  await key("P");
  expect(posts).toMatchObject([{ body: { kind: "pause" } }]);
  expect(button("Pause").textContent).toBe("PauseShift+P");
});

const decided = {
  ...incident,
  decision: { action: "rollback", to: 20, changes: [], reason: "too fast", operator: "ann", decidedAt: Date.now() },
} as const;

it("shows the conflict and the unsent reason if somebody else decided first", async () => {
  await show();
  await type(the(".decision textarea"), "my own reason");
  refusal = { status: 409, body: { error: "the run has changed since", hint: "Look again." } };
  control = { ...start, version: "v2", incidents: [decided] };
  await press(button("Roll back to iteration 20"));
  expect(box.querySelector(".decision")).toBeNull();
  expect(the(".incident .problem").textContent).toContain("the run has changed since");
  expect(the(".aftermath").textContent).toContain("too fast");
  expect(the(".incident .notice").textContent).toContain("my own reason");
  act(() => render(null, box));
  await show();
  expect(the(".incident .notice").textContent).toContain("my own reason");
  await press(button("forget it"));
  expect(box.querySelector(".incident .notice")).toBeNull();
  act(() => render(null, box));
  await show();
  expect(box.querySelector(".incident")).toBeNull();
});

it("a decision that nobody has carried out stands in plain sight with its command", async () => {
  control = { ...start, incidents: [decided] };
  await show({ alive: false, state: "stopped", openIncidents: 0 });
  expect(the(".aftermath .command code").textContent).toBe("ballast resume demo-1");
  expect(document.activeElement).toBe(document.body);
  expect(box.textContent).not.toContain("No incident waits");
  expect(box.textContent).not.toContain("none is waiting");
  act(() => render(null, box));
  await show({ alive: true, state: "running", openIncidents: 0 });
  expect(box.querySelector(".aftermath")).toBeNull();
  expect(box.textContent).toContain("No incident waits");
});

it("a finished run has no iterations since its diagnosis", async () => {
  control = { ...start, incidents: [] };
  diagnosed = 50;
  await show({ state: "done", alive: false, position: { stage: "ppo", iteration: 50, of: 50 } });
  expect(box.textContent).toContain("over 50 iterations");
  expect(box.textContent).not.toContain("more since");
});

it("a run without a PPO iteration has nothing to judge yet, which is not the same as no symptom", async () => {
  diagnosed = 0;
  await show({ state: "interrupted", alive: false, position: { stage: "sft", iteration: 3, of: 50 } });
  expect(box.textContent).toContain("There is no PPO iteration to judge yet.");
  expect(box.textContent).not.toContain("No symptom");
});

it("copies a command, and selects it if there is no clipboard", async () => {
  await show();
  vi.stubGlobal("navigator", { ...navigator, clipboard: undefined });
  const place = the(".tell-list .command");
  await press(the(".tell-list .command button"));
  expect(place.textContent).toContain("selected");
  expect(getSelection()!.toString()).toContain("ballast tell demo-1 pause");
  vi.stubGlobal("navigator", { clipboard: { writeText: async () => {} } });
  await press(the(".tell-list .command button"));
  expect(place.textContent).toContain("copied");
});

it("undoes an intervention in force, and shows its expiry", async () => {
  const active = {
    id: 4,
    rule: "kl_soft",
    tier: 2,
    action: "learningRate",
    factor: 0.7,
    signal: rule.signal,
    condition: "> 0.05 for 3",
    values: [0.07],
    from: 22,
    until: 32,
    reason: "approx KL 0.07 > 0.05",
  } as const;
  control = { ...start, incidents: [], active: [active] };
  await show({ state: "running" });
  expect(the(".in-force").textContent).toContain("until it 32: 6 iterations left");
  expect(the(".undo code").textContent).toBe("ballast tell demo-1 undo 4");
  await press(button("Undo"));
  expect(posts).toMatchObject([{ body: { kind: "undo", payload: { intervention: 4 } } }]);
});

it("only looks without the token: says how to get it, and keeps the commands", async () => {
  workspace.value = { ...workspace.value!, mayChange: false };
  await show();
  expect(the(".notice").textContent).toContain("runs/token");
  for (const name of ["Roll back to", "Pause", "Save", "Stop …", "Change", "Replay"])
    expect(button(name).disabled, name).toBe(true);
  expect(the(".decision .same").textContent).toContain("ballast incidents resolve 3");
});

it("opens a rule's chart by the address: a hairline on a plain value, words otherwise", async () => {
  view.value = { path: ["runs", "demo-1", "control"], query: { rule: "kl_hard" } };
  const spoke = { kind: "alert", rule: "kl_hard", iteration: 25, stage: "ppo", tier: 1, message: "approx KL", seq: 1 };
  await show({}, [spoke as PageEvent]);
  expect(the(".rule-chart figure").dataset).toMatchObject({ thresholds: "1", marks: "1" });
  view.value = { path: ["runs", "demo-1", "control"], query: { rule: "ratio" } };
  await settled();
  expect(the(".rule-chart figure").dataset.thresholds).toBe("0");
  expect(the(".rule-chart").textContent).toContain("ratio to median");
});

it("shows the rules that spoke, folds silent ones, and shows a part of health that is not a number", async () => {
  await show();
  expect(box.querySelectorAll(".rules .opener")).toHaveLength(1);
  await press(button("1 silent rule"));
  expect(box.querySelectorAll(".rules .opener")).toHaveLength(2);
  expect(the(".health-parts").textContent).toContain("NaN");
});

it("shows what spoke, its causes and the checklist before everything else but incidents", async () => {
  control = { ...start, incidents: [] };
  await show();
  const titles = [...box.querySelectorAll(".control section > header h2")].map(({ textContent }) => textContent);
  expect(titles.slice(0, 4)).toEqual(["What spoke", "Likely causes", "Checklist by phases", "The doctor's findings"]);
});
