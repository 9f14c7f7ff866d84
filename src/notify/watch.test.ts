import { expect, it } from "vitest";
import type { EventKind, EventRecord } from "../types/records.ts";
import type { EventNotice } from "./payload.ts";
import { watchEvents } from "./watch.ts";

function watched() {
  const notices: EventNotice[] = [];
  const incident = (id: number) => ({ id }) as EventNotice["incident"];
  const watch = watchEvents({ run: { id: "r", objective: "" }, notify: (notice) => notices.push(notice), incident });
  const event = (kind: EventKind, data: object) => {
    const record = { kind, stage: "ppo", iteration: 1, message: kind, data } as unknown as EventRecord;
    watch(record);
  };
  return { notices, event, told: () => notices.map(({ event, tier }) => `${event.kind} ${tier}`) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const alert = (rule: string, tier: number) => ({ alert: { rule, tier } });

it("tells an alert only if nothing follows of it", async () => {
  const { event, told } = watched();
  event("alert", alert("kl_soft", 2));
  event("alert", alert("kl_note", 3));
  event("intervention", { intervention: { id: 7, rule: "kl_soft", tier: 2, action: "learningRate" } });
  await turn();
  await turn();
  expect(told()).toEqual(["intervention 2", "alert 3"]);
  event("alert", alert("kl_stop", 1));
  await turn();
  await turn();
  expect(told().at(-1)).toBe("alert 1");
});

it("tells a stop once, by its incident, and an outcome with the tier of its intervention", async () => {
  const { event, told, notices } = watched();
  event("alert", alert("kl_stop", 1));
  event("intervention", { intervention: { id: 8, rule: "kl_stop", tier: 1, action: "pause" } });
  await turn();
  await turn();
  event("incident", { incident: 3 });
  event("outcome", { outcome: { intervention: 8 } });
  event("outcome", { outcome: { intervention: 1 } });
  event("rollback", {});
  event("checkpoint", {});
  expect(told()).toEqual(["incident 1", "outcome 1", "outcome 2", "rollback 1"]);
  expect(notices[0]!.incident).toEqual({ id: 3 });
});

it("tells an incident that waits for a full disk without its number", () => {
  const { event, notices } = watched();
  event("incident", { incident: null });
  expect(notices[0]).toMatchObject({ tier: 1, incident: null });
});
