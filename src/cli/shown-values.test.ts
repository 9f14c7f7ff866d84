/** What is shown is what was recorded, non-finite values included. */
import { expect, it } from "vitest";
import { shownValues } from "./shown-values.ts";

it("shows reward before KL, keeps NaN, and leaves out what the stage does not have", () => {
  expect(shownValues({ "kl/ref_k3_token": 0.0123, "reward/score_mean": Number.NaN, "policy/loss": 1 })).toEqual([
    ["reward", "NaN"],
    ["KL", "0.0123"],
  ]);
  expect(shownValues({ "reward_model/heldout_accuracy": 0.9, "reward_model/loss": 0.5 })).toEqual([
    ["loss", "0.500"],
    ["held-out accuracy", "90.0%"],
  ]);
});
