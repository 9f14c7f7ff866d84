/** The controller's changes are in the settings' history, with the intervention that made them. */
import { expect, it } from "vitest";
import { MemoryStore } from "../../test/support/memory-recorder.ts";
import { rule } from "../../test/support/rules.ts";
import { firstControlState } from "../control/state.ts";
import { controlSchema } from "../settings/config-schema.ts";
import { Control } from "./controller.ts";

const base = {
  policyRate: 1e-3,
  criticRate: 2e-3,
  clipLow: 0.2,
  clipHigh: 0.2,
  klCoef: 0.05,
  valueUpdates: 1,
  embeddingsRate: 1,
  slowCriticDecay: 0,
  clipWide: 0,
};

it("an intervention and its end are both recorded with its number", () => {
  const store = new MemoryStore();
  const recorder = store.recorder();
  const slower = rule(
    "tier: 2, when: {signal: clip/fraction, above: 0.3}, action: {learningRate: 0.5}, duration: 3, cooldown: 5",
  );
  const control = new Control({
    rules: [slower],
    settings: controlSchema.parse({ profile: "adaptive" }),
    state: firstControlState,
    iteration: 0,
    recorder,
  });
  for (let i = 0; i < 12; i++) control.afterUpdate(i, { "clip/fraction": i === 2 ? 0.9 : 0.1 }, base);
  recorder.commit();
  const rates = store.settings.filter(({ key }) => key === "ppo.learningRate");
  expect(rates.map(({ before, value, cause, intervention }) => [before, value, cause, intervention])).toEqual([
    [1e-3, 5e-4, "intervention", 1],
    [5e-4, 1e-3, "intervention", 1],
  ]);
});
