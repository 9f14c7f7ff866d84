/** The report of a run with everything in it: nothing that a model or a user wrote acts, in Markdown or HTML. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { evidence, incidentRecord } from "../../../../test/support/incident.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import type { EventKind } from "../../../types/records.ts";
import { UsageError } from "../../../util/errors.ts";
import { report } from "./index.ts";

const day = 86_400_000;
const start = Date.UTC(2026, 10, 1);
const nasty = "</script><img src=x onerror=alert(1)> [x](javascript:1) | \u202etxet \x1b[2J `a` <!channel>";

/** Ten days of a run: something on day 1, everything else on day 5 and later. */
function recorded(control: object = {}) {
  const clock = { now: start };
  const run = workspaceWithRun({ now: () => clock.now, control });
  const { store, workspace } = run;
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  const event = (kind: EventKind, iteration: number, message: string, data: object) =>
    recorder.event({ kind, stage: "ppo", iteration, message, data: data as Record<string, unknown> });
  clock.now = start + day;
  event("alert", 3, "an old one", { alert: { rule: "kl_old", tier: 3 } });
  recorder.metrics("ppo", 3, { "health/total": 1 });
  recorder.commit();
  clock.now = start + 5 * day;
  for (const iteration of [40, 41, 45])
    event("alert", iteration, `KL at ${iteration}`, { alert: { rule: "kl_soft", tier: 2 } });
  event("alert", 50, nasty, { alert: { rule: "entropy|low", tier: 3 } });
  event("intervention", 41, "KL  ->  rate x0.7 (kl_soft)", { intervention: { id: 1, tier: 2, rule: "kl_soft" } });
  event("outcome", 45, "outcome of kl_soft: KL back", { outcome: { intervention: 1, result: "effective" } });
  event("intervention", 46, "KL  ->  rate x0.7 (kl_soft)", { intervention: { id: 2, tier: 2, rule: "kl_soft" } });
  const setting = { stage: "ppo", key: "ppo.learningRate" } as const;
  recorder.setting({ ...setting, iteration: 0, before: null, value: 1e-5, cause: "config" });
  recorder.setting({ ...setting, iteration: 41, before: 1e-5, value: 7e-6, cause: "intervention", intervention: 1 });
  for (let i = 42; i < 50; i++)
    recorder.setting({ ...setting, iteration: i, before: i, value: i + 1, cause: "schedule" });
  for (const [iteration, value] of [
    [40, 90],
    [41, 12.34567],
    [43, 80],
  ] as const)
    recorder.metrics("ppo", iteration, { "health/total": value });
  const worstSamples = [{ prompt: nasty, response: `line\n# heading ${nasty}`, score: Number.NaN }];
  recorder.incident(incidentRecord({ summary: nasty, evidence: { ...evidence, worstSamples } }));
  recorder.incident(incidentRecord());
  store.decide(2, { action: "rollback", to: 50, changes: [], reason: nasty });
  recorder.close();
  const terminal = keptTerminal();
  const options = { since: "7d", format: "md", workspace, terminal, now: start + 10 * day } as const;
  return { ...run, terminal, options, text: () => terminal.lines.join("\n") };
}

describe("as Markdown", () => {
  it("tells of the span, per run, under its objective", async () => {
    const { options, text } = recorded();
    await report(options);
    const lines = text().split("\n");
    expect(lines[0]).toBe("# Ballast report of tiny-1, 2026-11-04 to 2026-11-11");
    expect(text()).toContain("1 incident waits for a decision: 1.");
    expect(text()).toContain("Objective: when a request is unclear, prefer a question over a guess");
    expect(text()).not.toContain("an old one");
    expect(lines).toContain("| 2 | kl\\_soft | 3 | 40 to 45 | KL at 45 |");
    expect(lines).toContain("| 41 | 2 | KL -\\> rate x0.7 (kl\\_soft) | outcome of kl\\_soft: KL back |");
    expect(lines).toContain("| 46 | 2 | KL -\\> rate x0.7 (kl\\_soft) | – |");
    expect(lines).toContain("| 41 | ppo.learningRate | 0.00001 | 0.000007 | intervention 1 |");
    expect(lines).toContain("| 42 to 49 | ppo.learningRate | 42 | 50 | schedule, 8 changes |");
    expect(lines).toContain("| total | 80 | 12.35 | 41 |");
    expect(text()).toContain("rollback to iteration 50: ");
    const titles = lines.filter((line) => line.startsWith("### ")).map((line) => line.slice(4));
    expect(titles).toEqual(["Incidents", "Interventions", "Alerts", "Settings changed", "Health"]);
  });

  it("shows text as text, samples only if they are asked for", async () => {
    const { options, text, terminal } = recorded();
    await report(options);
    expect(text()).not.toContain("heading");
    terminal.lines.length = 0;
    await report({ ...options, samples: true });
    expect(text()).toContain("| 1 | NaN | ");
    expect(text()).toContain("line \\# heading");
    expect(text()).not.toMatch(/(?<!\\)<|(?<!\\)\]\(|\u202e/);
    expect(text()).not.toContain("\x1b");
    const cells = text()
      .split("\n")
      .filter((line) => line.startsWith("| 1 |"))
      .map((line) => line.split(/(?<!\\)\|/).length);
    expect(cells).toEqual([7, 6]);
  });
});

describe("as HTML", () => {
  it("is one page without script, link or tag of its texts", async () => {
    const { options, workspace } = recorded();
    const out = join(workspace, "report.html");
    await report({ ...options, format: "html", samples: true, out });
    const page = readFileSync(out, "utf8");
    expect(page).toMatch(/^<!doctype html>\n.*default-src 'none'/s);
    const tags = new Set([...page.matchAll(/<\/?([^\s>]+)/g)].map(([, tag]) => tag));
    const own = "!doctype html head meta title style body h1 h2 h3 p table thead tbody tr th td";
    expect([...tags].sort()).toEqual(own.split(" ").sort());
    expect(page).toContain("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;");
    expect(page).toContain("\\u202etxet \\u001b[2J");
  });
});

it("of nothing says so", async () => {
  const { workspace } = workspaceWithRun();
  const terminal = keptTerminal();
  await report({ since: "1d", format: "md", workspace, terminal, now: Date.now() + 10 * day });
  expect(terminal.lines.join("\n")).toContain("No run was active in this time.");
  await report({ since: "1d", format: "md", workspace, terminal, run: "tiny-1", now: Date.now() + 10 * day });
  expect(terminal.lines.join("\n")).toContain("No alert, no intervention, no incident, and no setting changed.");
});

it("refuses what it cannot do", async () => {
  const { options } = recorded({ notify: [{ urlEnv: "REPORT_HOOK" }] });
  await expect(report({ ...options, since: "7" })).rejects.toThrow("--since 7: expected a duration");
  await expect(report({ ...options, run: "tiny-2" })).rejects.toThrow("there is no run tiny-2");
  await expect(report({ ...options, out: "/none/x.md" })).rejects.toThrow("cannot write /none/x.md");
  await expect(report({ ...options, send: true, env: {} })).rejects.toThrow(
    "the environment variable REPORT_HOOK is not set",
  );
  await expect(report({ ...recorded().options, send: true, env: {} })).rejects.toThrow(UsageError);
});

it("goes through the webhooks of its runs, and says what became of it", async () => {
  const bodies: { text: string }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      bodies.push(JSON.parse(text));
      response.writeHead(bodies.length > 1 ? 404 : 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { options, terminal } = recorded({ notify: [{ urlEnv: "REPORT_HOOK", kind: "slack", tiers: [] }] });
  const env = { REPORT_HOOK: `http://127.0.0.1:${(server.address() as AddressInfo).port}/SECRET` };
  expect(await report({ ...options, send: true, env })).toBe(0);
  expect(terminal.notes).toEqual(["sent to REPORT_HOOK"]);
  expect(bodies[0]!.text).toContain("# Ballast report of tiny-1");
  expect(bodies[0]!.text).not.toMatch(/<|heading/);
  expect(await report({ ...options, send: true, env })).toBe(1);
  expect(terminal.notes[1]).toBe("error: webhook REPORT_HOOK: it answered 404, after 1 try");
  expect(terminal.lines).toEqual([]);
});
