/** What an experiment of each stage may change compared with the previous one, and what it did change. */
import type { DoctorFacts, ExperimentFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

const source = "docs/doctor.md: the four stages of an experiment";

/** The part of an experiment that a changed key belongs to. `settings` are rates, sizes and coefficients. */
export type Part = "reward" | "prompts" | "model" | "evaluation" | "settings";

const prefixes: readonly (readonly [prefix: string, part: Part | null])[] = [
  ["ppo.rewards", "reward"],
  ["reward", "reward"],
  ["ppo.missingEosPenalty", "reward"],
  ["ppo.scoreClip", "reward"],
  ["ppo.prompts", "prompts"],
  ["demo", "prompts"],
  ["model", "model"],
  ["tokenizer", "model"],
  ["sft", "model"],
  ["ppo.policy", "model"],
  ["evaluation", "evaluation"],
  ["ppo", "settings"],
  ["control", "settings"],
  // Names, seeds, threads, words.
  ["", null],
];

/** The part that a dotted key belongs to; null if it does not affect what is learned. */
export function partOf(key: string): Part | null {
  const found = prefixes.find(([prefix]) => prefix === "" || key === prefix || key.startsWith(`${prefix}.`));
  return found?.[1] ?? null;
}

interface StageWords {
  readonly asks: string;
  readonly mayChange: readonly Part[];
}

/** The table of stages in docs/doctor.md. */
export const experimentStages: Readonly<Record<1 | 2 | 3 | 4, StageWords>> = {
  1: { asks: "is the behaviour controllable at all", mayChange: ["settings", "reward"] },
  2: { asks: "the reward, finely", mayChange: ["reward"] },
  3: { asks: "wider data", mayChange: ["prompts"] },
  4: { asks: "harder evaluation", mayChange: ["evaluation"] },
};

export function experimentFindings({ experiment }: DoctorFacts): Finding[] {
  if (experiment === null) return [];
  return [stageNote(experiment), ...changes(experiment)];
}

function stageNote({ stage }: ExperimentFacts): Finding {
  const { asks, mayChange } = experimentStages[stage];
  return {
    id: "experiment/stage",
    severity: "note",
    what: `stage ${stage} of 4: ${asks}; ${mayChange.join(" and ")} may change, nothing else`,
    why: "only one change at a time can be judged",
    remedy:
      "look for consistency and caution first: they are the first sign of success. If a model suddenly seems smarter, suspect the reward",
    source,
  };
}

function changes({ stage, previous }: ExperimentFacts): Finding[] {
  if (previous === null) return [];
  const keys = new Map<Part, string[]>();
  for (const key of previous.changedKeys) {
    const part = partOf(key);
    if (part !== null) keys.set(part, [...(keys.get(part) ?? []), key]);
  }
  const said = (parts: readonly Part[]) =>
    parts.map(
      (part) => `${part} (${keys.get(part)!.slice(0, 3).join(", ")}${keys.get(part)!.length > 3 ? ", …" : ""})`,
    );
  const findings: Finding[] = [];
  const together = (["reward", "prompts", "model"] as const).filter((part) => keys.has(part));
  if (together.length > 1)
    findings.push({
      id: "experiment/confounded",
      severity: together.length === 3 ? "error" : "warning",
      what: `against ${previous.name}, ${said(together).join(", ")} changed together`,
      why: "nothing can be concluded: any of them may have made the difference",
      remedy: "make one run for each change",
      source,
    });
  const { mayChange, asks } = experimentStages[stage];
  const outside = [...keys.keys()].filter((part) => !mayChange.includes(part));
  if (outside.length > 0)
    findings.push({
      id: "experiment/outside_stage",
      severity: "warning",
      what: `against ${previous.name}, ${said(outside).join(", ")} changed in stage ${stage} (${asks})`,
      why: `in this stage only ${mayChange.join(" and ")} may change`,
      remedy: "change it back, or say which stage this is: experiment.stage",
      source,
    });
  return findings;
}
