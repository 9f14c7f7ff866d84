/** Adding a lever changes only the table and what reads its value: here only the table gets an entry, and everything else knows the lever. */
import { expect, it, vi } from "vitest";
import { rule } from "../../test/support/rules.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld } from "../../test/support/stage.ts";
import { replay } from "../control/replay-rules.ts";
import { actionWords } from "../control/rules/rule.ts";
import { controlSchema } from "../settings/config-schema.ts";
import { liveSettings } from "../settings/live-settings.ts";
import type { Lever } from "./levers.ts";

vi.mock("./levers.ts", async (original) => {
  const table = await original<typeof import("./levers.ts")>();
  const discount: Lever<"gamma"> = {
    words: "discount",
    moves: { gamma: "ppo.gamma" },
    bounded: "gamma",
    bounds: () => ({ min: 0.8, max: 1 }),
    factor: { words: "a number above 0.5 and below 1", allows: (factor) => factor > 0.5 && factor < 1, example: 0.9 },
    actsIn: "next",
    escalates: false,
    metric: "settings/discount_multiplier",
  };
  Object.assign(table.levers, { discount });
  return table;
});

const shortens = () =>
  rule("tier: 2, when: {signal: response/length_mean, above: 0}, action: {discount: 0.6}, duration: 2, cooldown: 9");

it("a rule may name it, within its limits", () => {
  expect(actionWords(shortens())).toBe("discount x0.6 for 2 iterations");
  const wrong = (action: string) => () => rule(`tier: 2, when: {signal: clip/fraction, above: 0}, action: ${action}`);
  expect(wrong("{discount: 0.4}")).toThrow("it is multiplied by a number above 0.5 and below 1");
  expect(wrong("discount")).toThrow("discount needs a factor: {discount: 0.9}");
  expect(wrong("{discont: 0.9}")).toThrow("did you mean discount?");
  expect(liveSettings.ppo.filter((key) => key === "gamma")).toHaveLength(1);
});

it("a run moves it within its bounds, records it, lets an operator end it, and replays", async () => {
  const world = newWorld();
  const rules = [shortens()];
  const onProgress = ({ step }: { step: number }) => {
    if (step === 2 && world.store.commands.length === 0) world.store.command("set", { key: "ppo.gamma", value: 0.95 });
  };
  const ppo = { iterations: 4, gamma: 1 };
  const { curve } = await runPpo({ world, ppo, rules, control: { profile: "adaptive" }, context: { onProgress } });
  expect([...curve.values()].map((row) => row["settings/discount_multiplier"])).toEqual([1, 0.8, 1, 1]);
  const changes = world.store.settings.filter(({ key, cause }) => key === "ppo.gamma" && cause !== "config");
  expect(changes.map(({ iteration, before, value, cause }) => [iteration, before, value, cause])).toEqual([
    [1, 1, 0.8, "intervention"],
    [2, 0.76, 0.95, "intervention"],
    [2, 1, 0.95, "operator"],
  ]);
  const { consultations, events } = world.store;
  expect(consultations.flatMap((one) => (one.point === "operator" ? [one.word] : []))).toEqual([
    { kind: "set", lever: "discount" },
  ]);
  const said = events.filter(({ kind }) => ["alert", "intervention", "outcome"].includes(kind));
  const replayed = replay({ ...controlSchema.parse({ profile: "adaptive" }), rules, consultations });
  expect(replayed.map(({ message }) => message)).toEqual(said.map(({ message }) => message));
  expect(replayed.map(({ kind }) => kind)).toEqual(["alert", "intervention", "outcome"]);
});
