/** The effect on a run of the `control` fields that no other test moves. */
import { describe, expect, it } from "vitest";
import { rule } from "../../test/support/rules.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { defaultRules, fitsScale } from "../control/rules/load-rules.ts";
import { configSchema } from "../settings/config-schema.ts";

const raises = rule("tier: 2, when: {signal: response/length_mean, above: 0}, action: {klCoef: 4}", "raises");
const lowers = rule("tier: 2, when: {signal: response/length_mean, above: 0}, action: {klCoef: 0.1}", "lowers");
const coefAfter = async (by: typeof raises, klCoef: object) => {
  const { curve } = await runPpo({ rules: [by], control: { profile: "adaptive", klCoef } });
  return curve.get(2)!["kl/coef"];
};

describe("control.klCoef", () => {
  it("max is how far interventions raise the coefficient", async () => {
    expect(await coefAfter(raises, {})).toBeCloseTo(0.2);
    expect(await coefAfter(raises, { max: 0.1 })).toBeCloseTo(0.1);
  });

  it("min is how far they lower it", async () => {
    expect(await coefAfter(lowers, {})).toBeCloseTo(0.005);
    expect(await coefAfter(lowers, { min: 0.02 })).toBeCloseTo(0.02);
  });
});

it("the scales choose between rules on entropy and on safety", () => {
  const used = (control: object) => {
    const { control: settings } = configSchema.parse({ control });
    return defaultRules()
      .filter((one) => fitsScale(one, settings))
      .map(({ id }) => id);
  };
  expect(used({})).toEqual(expect.arrayContaining(["entropy_collapse_diversity", "safety_high"]));
  expect(used({})).not.toContain("entropy_low");
  expect(used({ entropy: { scale: "absolute" } })).toContain("entropy_low");
  expect(used({ entropy: { scale: "absolute" } })).not.toContain("entropy_collapse_diversity");
  expect(used({ safety: { scale: "relative" } })).toContain("safety_rise");
  expect(used({ safety: { scale: "relative" } })).not.toContain("safety_high");
});
