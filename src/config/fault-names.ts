/** The faults that can be injected into a run to test the controller: their names, and texts such as `lr-spike@40`. */

import { hasCritic } from "../settings/algorithm-table.ts";
import type { Config } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { type Problem, problem } from "./problems.ts";

/** What each fault does from its iteration on; docs/faults.md says more. */
const faults = {
  "lr-spike": "the learning rates are 30 times what they should be",
  "reward-noise": "noise of 3 standard deviations is added to every score",
  "reward-flip": "the score's sign is flipped",
  loophole: "every full stop of a response earns a point",
  "nan-gradient": "one advantage in the first minibatch of each update is NaN",
  "stale-rollouts": "responses and their log-probabilities are those of the starting policy",
  "reference-drift": "the reference follows the policy",
  "critic-frozen": "no gradient reaches the critic",
  temperature: "the sampling temperature is 0.05",
  advantages: "advantages are 100 times too large",
  "few-sequences": "an optimizer step holds 8 sequences",
  "length-runaway": "every token of a response earns half a point",
  "narrow-prompts": "every prompt of a rollout is the same one",
  unsafe: "responses that trip the safety filter earn 4 points",
} as const;

export type FaultName = keyof typeof faults;

export const faultNames = Object.keys(faults) as readonly FaultName[];

/** A fault that begins at an iteration and stays. */
export interface Fault {
  readonly name: FaultName;
  readonly from: number;
}

/** Parses `NAME@ITERATION`; `NAME` without an iteration begins at 0. Returns a sentence with the problem if the text is not a fault. */
export function readFault(text: string): Fault | string {
  const [, name = text, from = "0"] = /^([^@]*)(?:@(\d+))?$/.exec(text) ?? [];
  const known = faultNames.find((one) => one === name);
  if (known !== undefined && Number.isSafeInteger(Number(from))) return { name: known, from: Number(from) };
  if (known !== undefined || faultNames.some((one) => text.startsWith(`${one}@`)))
    return `${text}: the iteration is a whole number, as in ${text.split("@")[0]}@40`;
  const near = nearest(name, faultNames);
  return `there is no fault ${name}; ${near === undefined ? `they are ${faultNames.join(", ")}` : `did you mean ${near}?`}`;
}

/** The override that `--inject` stands for; none if nothing is injected. */
export function injected(texts: readonly string[]): string[] {
  return texts.length === 0 ? [] : [`faults=${JSON.stringify(texts)}`];
}

/** The configuration of a run with faults added. Throws UsageError for a text that is not a fault. */
export function withFaults(config: Config, texts: readonly string[]): Config {
  const more = { ...config, faults: [...new Set([...config.faults, ...texts])] };
  const problems = checkFaults(more);
  if (problems.length > 0)
    throw new UsageError(problems.map(({ message }) => message).join("; "), "docs/faults.md lists every fault.");
  return more;
}

/** The faults of a checked configuration. */
export function faultsOf({ faults: texts }: Pick<Config, "faults">): Fault[] {
  return texts.map(readFault).filter((fault) => typeof fault !== "string");
}

/** What is wrong with the faults in a configuration. */
export function checkFaults({ faults: texts, ppo }: Pick<Config, "faults" | "ppo">): Problem[] {
  const problems: Problem[] = [];
  if (texts.length > 0 && !ppo)
    problems.push(problem("faults", "faults are PPO's: the configuration has no section ppo"));
  for (const [i, text] of texts.entries()) {
    const fault = readFault(text);
    const at = ["faults", `faults.${i}`];
    if (typeof fault === "string") problems.push(problem(at, fault));
    else if (ppo && fault.from >= ppo.iterations)
      problems.push(
        problem(
          at,
          `${text} begins after the run's ${ppo.iterations} iterations; try ${fault.name}@${Math.floor(ppo.iterations / 2)}`,
        ),
      );
    else if (fault.name === "critic-frozen" && ppo && !hasCritic(ppo.algorithm))
      problems.push(problem(at, `critic-frozen needs a critic; ppo.algorithm ${ppo.algorithm} has none`));
    else if (fault.name === "critic-frozen" && ppo?.criticKind === "shared")
      problems.push(problem(at, "critic-frozen needs a critic of its own: ppo.criticKind separate"));
    else if (fault.name === "few-sequences" && ppo && ppo.sequences % 8 !== 0)
      problems.push(
        problem(at, `few-sequences cuts ppo.sequences into steps of 8; ${ppo.sequences} is not divisible by 8`),
      );
  }
  return problems;
}
