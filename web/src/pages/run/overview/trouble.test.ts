/** The one sentence: what the operator must do comes before what a rule noticed. */
import { expect, it } from "vitest";
import type { PageEvent, RunSummary } from "../../../../../src/types/page.ts";
import { fallenWords, troubleOf } from "./trouble.ts";

const run: RunSummary = {
  id: "demo-1",
  objective: "",
  seed: 1,
  createdAt: 0,
  state: "running",
  alive: true,
  lastBeat: 100_000,
  attempt: 1,
  position: { stage: "ppo", iteration: 40, of: 75 },
  health: 90,
  reward: 1,
  kl: 0.1,
  openIncidents: 0,
  tags: [],
  note: "",
  archived: false,
};
const event = (
  kind: PageEvent["kind"],
  iteration: number,
  message: string,
  rest: Partial<PageEvent> = {},
): PageEvent => ({
  seq: iteration,
  attempt: 1,
  stage: "ppo",
  iteration,
  kind,
  message,
  at: 0,
  superseded: false,
  ...rest,
});
const warned = event("alert", 38, "approx KL 0.06 > 0.05", { tier: 2 });
const stopped = event("incident", 40, "approx KL 0.3 > 0.15: incident 3", { incident: 3 });
const trouble = (changes: Partial<RunSummary>, events: PageEvent[] = []) =>
  troubleOf({ run: { ...run, ...changes }, events, now: 160_000 });

it("names the open incident and where to decide on it, whatever rules said since", () => {
  const { says, next, iteration } = trouble({ openIncidents: 1, state: "paused" }, [stopped, warned]);
  expect(says).toBe("approx KL 0.3 > 0.15: incident 3; the run waits for a decision.");
  expect([next, iteration]).toEqual(["decide", 40]);
  expect(trouble({ openIncidents: 2, state: "stopped", alive: false }, [stopped]).says).toContain("(and 1 more)");
});

it("a lost run is told by its heartbeat, with the way back", () => {
  const { says, next } = trouble({ state: "lost", alive: false }, [warned]);
  expect([says, next]).toEqual(["No heartbeat for 1 min: the process is gone.", "resume"]);
});

it("a failed run says why and what to do, and without a recorded reason that it failed", () => {
  const error = event("error", 0, "the reward function r.ts returned undefined", { hint: "Return a number." });
  expect(trouble({ state: "failed", alive: false }, [error])).toMatchObject({
    ...{ says: "It failed: the reward function r.ts returned undefined.", hint: "Return a number.", next: "resume" },
  });
  expect(trouble({ state: "failed", alive: false }, [warned]).says).toBe("The run failed.");
});

it("rules that spoke lately come next, the more serious first; old and superseded words do not", () => {
  const tier1 = event("alert", 35, "entropy 0.1 < 0.2", { tier: 1 });
  expect(trouble({}, [tier1, warned]).says).toBe("entropy 0.1 < 0.2.");
  expect(trouble({}, [event("alert", 30, "old", { tier: 1 })]).tone).toBe("good");
  expect(trouble({}, [{ ...warned, superseded: true }]).tone).toBe("good");
  expect(trouble({}, [event("alert", 40, "note", { tier: 3 })]).tone).toBe("good");
});

it("without a word of a rule, a check that was lost since the first measurement is not a clean bill", () => {
  const lost = ["sums right 68.8% → 28.1%"];
  const found = troubleOf({ run, events: [], now: 0, lost });
  expect(found).toMatchObject({ tone: "warn", next: "behaviour" });
  expect(found.says).toBe("Lost since the first measurement: sums right 68.8% → 28.1%.");
  expect(troubleOf({ run, events: [warned], now: 0, lost }).says).toContain("approx KL");
});

it("says that there is nothing yet before the first iteration", () => {
  expect(trouble({ position: null, state: "created" }).says).toBe("Nothing is recorded yet.");
});

it("a finished run whose check fell in the evaluation, beyond chance, is no clean bill", () => {
  const estimate = (mean: number) => ({ mean, low: 0, high: 1, n: 64 });
  const fell = fallenWords({
    shares: ["sums", "brief"],
    before: { folder: "", figures: { sums: estimate(0.893), brief: estimate(0.5) } },
    after: { folder: "", figures: { sums: estimate(0.751), brief: estimate(0.49) } },
    differences: {
      sums: { difference: -0.142, low: -0.2, high: -0.08 },
      brief: { difference: -0.01, low: -0.1, high: 0.1 },
    },
  } as unknown as Parameters<typeof fallenWords>[0]);
  const done = { ...run, state: "done" } as const;
  expect(troubleOf({ run: done, events: [], now: 0, fell })).toMatchObject({
    tone: "warn",
    says: "Lower after PPO than before, beyond chance: sums right 89.3% → 75.1%.",
  });
  expect(troubleOf({ run: done, events: [], now: 0 }).tone).toBe("good");
});
