/** Events reach the terminal, and what they quote does not act on it. */
import pc from "picocolors";
import { expect, it } from "vitest";
import type { EventKind, EventRecord } from "../types/records.ts";
import { createAnnouncer } from "./announce.ts";
import { selfName } from "./find-run.ts";

function announcer({ tier2Acts = true, waits = false } = {}) {
  const lines: string[] = [];
  const clock = { now: 0 };
  const made = createAnnouncer({
    note: (line) => lines.push(line),
    colours: pc.createColors(false),
    tier2Acts,
    waits,
    workspace: "/w/of mine",
    now: () => clock.now,
  });
  const event = (kind: EventKind, message: string) => made.event({ kind, stage: "sft", iteration: 1, message });
  const raw = (more: Pick<EventRecord, "kind" | "message" | "data">) =>
    made.event({ stage: "ppo", iteration: 1, ...more });
  return { lines, clock, event, raw, progress: made.progress };
}

it("ends a stage with its time and its figures", () => {
  const { lines, clock, event, progress } = announcer();
  event("stage_started", "sft: 10 steps");
  clock.now = 65_000;
  progress({ values: { "sft/loss": 0.5, "time/total_s": 1 } });
  event("stage_finished", "sft is done");
  expect(lines).toEqual(["sft: 10 steps", "✓ sft done in 1:05, loss 0.500"]);
});

it("says warnings and errors as such, cleaned, and keeps to itself what only the record needs", () => {
  const { lines, event } = announcer();
  event("warning", `bad row "\x1b[2J" in ${process.cwd()}/data.jsonl`);
  event("error", "stopped");
  event("checkpoint", "saved");
  event("setting", "rate");
  expect(lines).toEqual(['warning: bad row "" in data.jsonl', "error: stopped"]);
});

it("prints what the stability controller does as lines by tier, and alerts only if an operator must know", () => {
  const { lines, event, raw } = announcer();
  const alert = (tier: number) => raw({ kind: "alert", message: "approx KL 0.071 > 0.05", data: { alert: { tier } } });
  alert(3);
  alert(2);
  expect(lines).toEqual([]);
  const intervention = { id: 4, tier: 2 };
  raw({ kind: "intervention", message: "KL  ->  learning rate x0.7 (kl_soft)", data: { intervention, tier: 2 } });
  raw({ kind: "intervention", message: "KL  ->  learning rate x0.7 (kl_soft)", data: { intervention, tier: 2 } });
  raw({ kind: "outcome", message: "outcome of kl_soft: KL back", data: { outcome: { intervention: 4 } } });
  alert(1);
  raw({ kind: "intervention", message: "KL  ->  pause", data: { intervention: { id: 5, tier: 1, action: "pause" } } });
  event("incident", "approx KL 0.31 > 0.15  ->  saved, paused: incident 3\x1b[2J");
  expect(lines).toEqual([
    "tier 2  it 1  KL  ->  learning rate x0.7 (kl_soft)",
    "tier 2  it 1  outcome of kl_soft: KL back",
    "tier 1  it 1  approx KL 0.071 > 0.05",
    "tier 1  it 1  approx KL 0.31 > 0.15  ->  saved, paused: incident 3",
  ]);
});

it("tells of what tier 2 would have acted on, if it only alerts, and once what would make it act", () => {
  const { lines, raw } = announcer({ tier2Acts: false });
  for (const [tier, message] of [
    [2, "gold fell"],
    [3, "entropy is low"],
    [2, "KL rose"],
  ] as const)
    raw({ kind: "alert", message, data: { alert: { tier } } });
  expect(lines).toEqual([
    "tier 2  it 1  gold fell  (recorded; control.profile=adaptive acts on tier 2)",
    "tier 2  it 1  KL rose",
  ]);
});

it("says how to decide if the run waits for it", () => {
  const { lines, raw } = announcer({ waits: true });
  raw({ kind: "incident", message: "approx KL 0.31 > 0.15  ->  saved, paused: incident 3", data: { incident: 3 } });
  expect(lines.at(-1)).toBe(`  waiting; how to decide: ${selfName()} incidents show 3 --workspace '/w/of mine'`);
});
