import { expect, it } from "vitest";
import type { PageEvent } from "../../../../../src/types/page.ts";
import { pastOf } from "./past-interventions.ts";

const event = (seq: number, kind: PageEvent["kind"], intervention: number): PageEvent => ({
  seq,
  kind,
  intervention,
  attempt: 1,
  stage: "ppo",
  iteration: seq,
  message: "",
  at: 0,
  superseded: false,
});

it("pairs interventions with their outcomes, newest first, without those in force", () => {
  const events = [
    event(1, "intervention", 1),
    event(2, "intervention", 2),
    event(3, "outcome", 1),
    event(4, "intervention", 3),
  ];
  const past = pastOf(events, [{ id: 3 }]);
  expect(past.map(({ event, outcome }) => [event.intervention, outcome?.seq ?? null])).toEqual([
    [2, null],
    [1, 3],
  ]);
});
