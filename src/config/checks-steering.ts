/** Checks between fields of PPO's schedules and controllers: KL coefficients, the penalty, clip and rates. */
import { controllerBounds, reachOf, stepPresets } from "../rl/index.ts";
import type { Config, PpoConfig } from "../settings/config-schema.ts";
import { stages } from "../types/records.ts";
import { type Given, type Problem, problem } from "./problems.ts";

type Part = { readonly errors: readonly Problem[]; readonly warnings: readonly Problem[] };

export function checkSteering(ppo: PpoConfig, given: Given): { errors: Problem[]; warnings: Problem[] } {
  const parts = [checkController("kl", ppo, given), checkPolicyLoss(ppo, given), checkSchedules(ppo, given)];
  return { errors: parts.flatMap(({ errors }) => errors), warnings: parts.flatMap(({ warnings }) => warnings) };
}

/** Checks a stage's step schedule. */
export function checkStepSchedule(config: Config, given: Given): { errors: Problem[]; warnings: Problem[] } {
  const warnings: Problem[] = [];
  for (const stage of stages) {
    const schedule = config[stage]?.schedule;
    if (schedule === undefined || schedule === "step") continue;
    for (const key of ["stepFactor", "stepEvery"].filter((key) => given(`${stage}.${key}`)))
      warnings.push(
        problem(
          `${stage}.${key}`,
          `${stage}.${key} has no effect with the schedule ${schedule}; set ${stage}.schedule: step or remove it`,
        ),
      );
  }
  return { errors: [], warnings };
}

const ofController = {
  step: ["preset", "high", "low", "up", "down"],
  exponential: ["alpha"],
  ziegler: ["horizon"],
};

/** Checks between the fields of a KL controller: `ppo.kl`, and `ppo.penalty`. */
function checkController(
  section: "kl" | "penalty",
  ppo: PpoConfig,
  given: Given,
): { errors: Problem[]; warnings: Problem[] } {
  const settings: PpoConfig["kl"] | PpoConfig["penalty"] = ppo[section];
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const { controller, target, targetEnd, preset, min, max } = settings;
  const at = (key: string) => `ppo.${section}.${key}`;
  const of =
    section === "kl" ? "the KL to steer to: target: 6 with targetUnit: sequence is Ziegler et al.'s" : "0.01, say";
  if (controller !== "fixed" && target === undefined)
    errors.push(problem(at("controller"), `${at("controller")} ${controller} needs ${at("target")}, ${of}`));
  if (targetEnd !== undefined && target === undefined)
    errors.push(problem(at("targetEnd"), `${at("targetEnd")} needs ${at("target")}, from which it starts`));
  for (const [name, keys] of Object.entries(ofController)) {
    if (name === controller) continue;
    for (const key of keys.filter((key) => given(at(key))))
      warnings.push(
        problem(
          at(key),
          `${at(key)} has no effect with the controller ${controller}; set ${at("controller")}: ${name} or remove it`,
        ),
      );
  }
  if (controller === "fixed") {
    // Rules and clip phases measure the KL to the reference by its target, whichever controller moves it.
    const idle = ["min", "max", ...(section === "penalty" ? ["target", "targetEnd"] : [])];
    for (const key of idle.filter((key) => given(at(key))))
      warnings.push(
        problem(at(key), `${at(key)} has no effect with the controller fixed, which moves nothing; remove it`),
      );
  }
  const { high, low } = { ...stepPresets[preset], ...numbersOf(settings) };
  if (controller === "step" && low >= high)
    errors.push(
      problem(
        [at("low"), at("high"), at("controller")],
        `${at("low")} ${low} is not below ${at("high")} ${high}: between them the coefficient rests; schulman2017 has 0.67 and 1.5`,
      ),
    );
  if (controller !== "fixed" && target !== undefined) {
    const reach = checkReach(section, ppo, Math.max(target, targetEnd ?? 0));
    errors.push(...reach.errors);
    warnings.push(...reach.warnings);
  }
  const bounds = controllerBounds(settings);
  const apart = min !== undefined && max !== undefined ? "swap them" : `preset ${preset} has the other: give both`;
  if (bounds.min !== undefined && bounds.max !== undefined && bounds.min > bounds.max)
    errors.push(
      problem([at("min"), at("max")], `${at("min")} ${bounds.min} is above ${at("max")} ${bounds.max}; ${apart}`),
    );
  return { errors, warnings };
}

/** Checks how far one iteration may move a coefficient: an error if the coefficient can be lost, a warning if it can jump. */
function checkReach(section: "kl" | "penalty", ppo: PpoConfig, target: number): Part {
  const settings: PpoConfig["kl"] | PpoConfig["penalty"] = ppo[section];
  const { controller, horizon, alpha } = settings;
  const { sequences, iterations } = ppo;
  const at = (key: string) => `ppo.${section}.${key}`;
  const { least, greatest } = reachOf(settings, { target, sequences, iterations });
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  if (controller === "ziegler" && least <= 0)
    errors.push(
      problem(
        [at("horizon"), "ppo.sequences", at("controller")],
        `${at("horizon")} ${horizon} with ppo.sequences ${sequences}: one KL under its target multiplies the coefficient by 1 - 0.2 x ${sequences} / ${horizon} = ${Number(least.toPrecision(2))}, and the coefficient is lost; give more than ${Number((0.2 * sequences).toPrecision(6))}, or leave it out for a tenth of the run's sequences`,
      ),
    );
  if (controller === "exponential" && greatest > 10)
    (greatest > 1000 ? errors : warnings).push(
      problem(
        [at("alpha"), at("target"), at("controller")],
        `${at("alpha")} ${alpha} with ${at("target")} ${target}: a KL of twice the target multiplies the coefficient by ${greatest.toPrecision(2)} in a single iteration; try alpha ${(1 / target).toPrecision(1)}`,
      ),
    );
  if (controller === "step" && Math.max(greatest, 1 / least) > 1000)
    errors.push(
      problem(
        greatest > 1 / least ? [at("up"), at("controller")] : [at("down"), at("controller")],
        `${at("up")} ${greatest} and ${at("down")} ${least}: one iteration moves the coefficient more than a thousandfold, from one of its bounds to the other; schulman2017 has 2 and 0.5`,
      ),
    );
  return { errors, warnings };
}

function numbersOf({ high, low }: { high?: number | undefined; low?: number | undefined }): {
  high?: number;
  low?: number;
} {
  return { ...(high !== undefined && { high }), ...(low !== undefined && { low }) };
}

function checkPolicyLoss(ppo: PpoConfig, given: Given): Part {
  const { policyLoss, penalty, epochs, minibatches } = ppo;
  const warnings: Problem[] = [];
  if (policyLoss === "clip") {
    const unused = Object.keys(penalty).filter((key) => given(`ppo.penalty.${key}`));
    for (const key of unused)
      warnings.push(
        problem(
          `ppo.penalty.${key}`,
          `ppo.penalty.${key} has no effect with ppo.policyLoss clip; set policyLoss: penalty`,
        ),
      );
    return { errors: [], warnings };
  }
  const { errors, warnings: ofController } = checkController("penalty", ppo, given);
  if (penalty.beta === 0 && penalty.controller !== "fixed")
    errors.push(
      problem(
        ["ppo.penalty.beta", "ppo.penalty.controller"],
        `ppo.penalty.beta 0 stays 0 under ${penalty.controller}, which multiplies it; start from 1`,
      ),
    );
  for (const key of ["clipLow", "clipHigh", "dualClip", "clipSchedule", "clipWide"].filter((key) =>
    given(`ppo.${key}`),
  ))
    warnings.push(problem(`ppo.${key}`, `ppo.${key} has no effect with ppo.policyLoss penalty, which clips nothing`));
  if (epochs * minibatches === 1)
    warnings.push(
      problem(
        ["ppo.policyLoss", "ppo.epochs"],
        "ppo.policyLoss penalty with a single step an iteration: old and new policy are the same there, and so the penalty has no gradient; take more epochs or minibatches",
      ),
    );
  return { errors, warnings: [...warnings, ...ofController] };
}

function checkSchedules({ clipSchedule, layerRates, kl }: PpoConfig, given: Given): Part {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  if (clipSchedule === "constant" && given("ppo.clipWide"))
    warnings.push(
      problem("ppo.clipWide", "ppo.clipWide has no effect with ppo.clipSchedule constant; set clipSchedule: phases"),
    );
  if (clipSchedule === "phases" && kl.target === undefined)
    warnings.push(
      problem(
        "ppo.clipSchedule",
        "ppo.clipSchedule phases without ppo.kl.target: the clip follows only the reward's slope; set a target for it to follow KL",
      ),
    );
  if (layerRates !== null && layerRates.embeddings > layerRates.head)
    errors.push(
      problem(
        ["ppo.layerRates.embeddings", "ppo.layerRates.head", "ppo.layerRates"],
        `ppo.layerRates.embeddings ${layerRates.embeddings} is above ppo.layerRates.head ${layerRates.head}; published values are a third to half of it`,
      ),
    );
  return { errors, warnings };
}
