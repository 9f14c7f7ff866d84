/** A run's notifications: incidents through a real webhook, and a report at intervals, across resumes. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { hooksOf } from "../notify/index.ts";
import { openTelling } from "./telling.ts";

async function webhook() {
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      bodies.push(JSON.parse(text));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

const hour = 3_600_000;

async function start(control: object) {
  const clock = { now: 1_700_000_000_000 };
  const run = workspaceWithRun({ now: () => clock.now, control });
  const config = JSON.parse(run.store.run("tiny-1")!.config);
  const { bodies, url } = await webhook();
  const warnings: string[] = [];
  const open = () => {
    const telling = openTelling({
      config,
      hooks: hooksOf(config.control.notify, { HOOK: url }),
      runId: "tiny-1",
      store: run.store,
      onWarning: (text) => warnings.push(text),
      now: () => clock.now,
      lookEvery: 5,
    });
    const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
    telling.recordWith(recorder);
    return { telling, recorder };
  };
  return { ...run, clock, bodies, warnings, open };
}

it("sends an incident with its evidence", async () => {
  const { open, bodies, warnings } = await start({ notify: [{ urlEnv: "HOOK" }] });
  const { telling, recorder } = open();
  const incident = recorder.incident(incidentRecord());
  telling.event({ kind: "incident", stage: "ppo", iteration: 77, message: "stopped", data: { incident } });
  await telling.close();
  expect(bodies).toMatchObject([{ kind: "incident", run: "tiny-1", message: "stopped", incident: { id: 1 } }]);
  expect(warnings).toEqual([]);
});

it("sends an alert that nothing follows, even at the very end", async () => {
  const { open, bodies } = await start({ notify: [{ urlEnv: "HOOK", tiers: [3] }] });
  const { telling } = open();
  const data = { alert: { rule: "kl_note", tier: 3 } };
  telling.event({ kind: "alert", stage: "ppo", iteration: 1, message: "KL", data });
  await telling.close();
  expect(bodies).toMatchObject([{ kind: "alert", tier: 3 }]);
});

it("sends a report when one is due, and counts on from it after a resume", async () => {
  const { open, bodies, clock, store } = await start({ notify: [{ urlEnv: "HOOK" }], report: { every: "12h" } });
  const first = open();
  clock.now += 11 * hour;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(bodies).toEqual([]);
  clock.now += 2 * hour;
  await expect.poll(() => bodies.length).toBe(1);
  first.recorder.commit();
  await first.telling.close();
  first.recorder.close();
  expect(bodies[0]).toMatchObject({ kind: "report", title: "Ballast report of tiny-1, 2023-11-14 to 2023-11-15" });

  clock.now += hour;
  const second = open();
  await second.telling.close();
  second.recorder.close();
  expect(bodies).toHaveLength(1);
  clock.now += 12 * hour;
  const third = open();
  await third.telling.close();
  third.recorder.close();
  expect(bodies).toHaveLength(2);
  const spans = store
    .events("tiny-1", { kind: "note" })
    .rows.map(({ data }) => (data as { report: { since: number; until: number } }).report);
  expect(spans[1]!.since).toBe(spans[0]!.until);
});
