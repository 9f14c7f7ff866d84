/** Events in a list and in charts: small ones fold, new ones stay, and no local folders appear. */
import { expect, it } from "vitest";
import type { PageEvent } from "../../../../../src/types/page.ts";
import { folded, foldWords, marksOf, sentenceOf } from "./event-words.ts";

let seq = 0;
const event = (kind: PageEvent["kind"], iteration: number, rest: Partial<PageEvent> = {}): PageEvent => ({
  seq: ++seq,
  attempt: 1,
  stage: "ppo",
  iteration,
  kind,
  message: `${kind} ${iteration}`,
  at: 0,
  superseded: false,
  ...rest,
});
const note = (iteration: number) => event("alert", iteration, { tier: 3, rule: "entropy_note" });
const brief = (rows: ReturnType<typeof folded>) =>
  rows.map((row) => ("events" in row ? `${row.events.length} folded` : `${row.kind} ${row.iteration}`));

it("notes fold if three or more stand together; what is serious stands between them", () => {
  const list = [note(1), note(2), event("alert", 3, { tier: 2, rule: "kl_soft" }), note(4), note(5), note(6)];
  expect(brief(folded(list))).toEqual(["3 folded", "alert 3", "alert 2", "alert 1"]);
});

it("of a word that is repeated each iteration the newest stands; a later episode stands anew", () => {
  const warnings = [20, 21, 22, 23, 60].map((iteration) => event("alert", iteration, { tier: 2, rule: "nonfinite" }));
  expect(brief(folded(warnings))).toEqual(["alert 60", "alert 23", "3 folded"]);
});

it("the newest checkpoint stands, older ones fold", () => {
  expect(brief(folded([10, 20, 30, 40].map((iteration) => event("checkpoint", iteration))))).toEqual([
    "checkpoint 40",
    "3 folded",
  ]);
});

it("a fold says what is in it, most first", () => {
  const [fold] = folded([note(1), note(2), event("alert", 3, { tier: 3, rule: "kl_note" })]);
  expect(foldWords(fold as never)).toBe("3 folded: entropy ×2, kl");
});

it("folders up to the run's own are left out, and characters that act are shown", () => {
  expect(sentenceOf("saved /home/a/runs/demo-1/ppo/checkpoint-000025", "demo-1")).toBe("saved ppo/checkpoint-000025");
  expect(sentenceOf("KL 1.2 > 0.15  ->  saved, paused", "demo-1")).toBe("KL 1.2 > 0.15 → saved, paused");
  expect(sentenceOf("a\u202eb", "demo-1")).toBe("a⟨U+202E⟩b");
});

it("marks are of the stage that is shown, and of no attempt that was given up", () => {
  const events = [event("checkpoint", 5), event("alert", 6, { tier: 1 }), event("checkpoint", 7, { superseded: true })];
  const marks = marksOf([...events, event("checkpoint", 8, { stage: "sft" })], { stage: "ppo", runId: "demo-1" });
  expect(marks.map(({ iteration, shape, quiet }) => [iteration, shape, quiet])).toEqual([
    [5, "◆", true],
    [6, "✗", false],
  ]);
});
