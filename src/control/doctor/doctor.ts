/** The doctor: finds what is wrong with a PPO run before money is spent on it. Pure: every statistic is passed in. */
import { batchFindings } from "./batch-findings.ts";
import { creditFindings } from "./credit-findings.ts";
import { experimentFindings } from "./experiment.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, findingIds, type Severity } from "./finding.ts";
import { policyFindings } from "./policy-findings.ts";
import { promptFindings } from "./prompt-findings.ts";
import { rewardFindings, rewardModelFindings } from "./reward-findings.ts";
import { updateFindings } from "./update-findings.ts";

export interface Judged extends Finding {
  /** Why the finding is intended, if the configuration says so. */
  readonly explained: string | null;
}

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/** Every finding, the gravest first; explained ones after all others of their severity. `found` are the caller's own findings. */
export function examine(facts: DoctorFacts, found: readonly Finding[] = []): Judged[] {
  const findings = [
    ...found,
    ...[objectiveFinding(facts.objective)].filter((finding) => finding !== null),
    ...batchFindings(facts),
    ...updateFindings(facts),
    ...creditFindings(facts),
    ...policyFindings(facts),
    ...rewardFindings(facts),
    ...rewardModelFindings(facts),
    ...promptFindings(facts),
    ...experimentFindings(facts),
  ];
  const judged = [...findings, ...explanations(facts, findings)].map((finding): Judged => {
    const explained = Object.hasOwn(facts.explain, finding.id) ? facts.explain[finding.id]! : null;
    return { ...finding, explained };
  });
  const rank = ({ severity, explained }: Judged) => 2 * ranks[severity] + (explained === null ? 0 : 1);
  return judged.sort((a, b) => rank(a) - rank(b));
}

/** Findings to act upon: errors and warnings that nobody has explained. */
export function unexplained(findings: readonly Judged[]): Judged[] {
  return findings.filter(({ severity, explained }) => severity !== "note" && explained === null);
}

/** What is wrong with the form of an objective; null if nothing is. */
export function objectiveFinding(objective: string): Finding | null {
  if (/\bprefer\b/i.test(objective)) return null;
  return {
    id: "objective/form",
    severity: "note",
    what: `the objective "${objective}" states no preference`,
    why: "a preference says when it is met and when it is not; it is what the run will be judged by",
    remedy: 'use the form "when X, prefer Y over Z"',
    source: "docs/doctor.md",
  };
}

function explanations({ explain }: DoctorFacts, findings: readonly Finding[]): Finding[] {
  const source = "docs/doctor.md";
  return Object.keys(explain).flatMap((id): Finding[] => {
    if (!(findingIds as readonly string[]).includes(id))
      return [
        {
          id: "doctor/unknown_explanation",
          severity: "warning",
          what: `doctor.explain has ${id}, which is not a finding`,
          why: "it explains nothing",
          remedy: `findings of that group: ${findingIds.filter((known) => known.split("/")[0] === id.split("/")[0]).join(", ") || "none; docs/doctor.md lists all"}`,
          source,
        },
      ];
    if (findings.some((finding) => finding.id === id)) return [];
    return [
      {
        id: "doctor/idle_explanation",
        severity: "note",
        what: `doctor.explain has ${id}, which was not found`,
        why: "what it explained is fixed, or could not be checked this time",
        remedy: "remove it once it is fixed",
        source,
      },
    ];
  });
}
