/** Findings on the prompts: how many there are, how many kinds, and whether the evaluation uses the same ones. */
import type { DoctorFacts, PromptFacts } from "./facts.ts";
import { type Finding, inWords, percent } from "./finding.ts";
import { normalised, overlap } from "./overlap.ts";

const source = "docs/doctor.md";
/** Fewer kinds than this are one narrow task. */
const fewKinds = 3;
const repeatedShare = 0.5;
/** Templates make some prompts alike; above this share the evaluation tests training prompts. */
const nearShare = 0.1;

export function promptFindings(facts: DoctorFacts): Finding[] {
  return [...narrow(facts), ...evaluationFindings(facts)];
}

/**
 * Kinds as named by the rows, if all rows name one; else the distinct openings of the prompts: their first two words, with all numbers treated alike.
 */
function kindsOf(prompts: readonly PromptFacts[]): { readonly count: number; readonly by: "kind" | "opening" } {
  const named = prompts.every(({ kind }) => kind !== null);
  const opening = (text: string) => normalised(text).replace(/\d+/g, "0").split(" ").slice(0, 2).join(" ");
  const kinds = new Set(prompts.map(({ kind, text }) => (named ? kind : opening(text))));
  return { count: kinds.size, by: named ? "kind" : "opening" };
}

function narrow({ prompts, ppo }: DoctorFacts): Finding[] {
  if (prompts === null || prompts.length === 0) return [];
  const findings: Finding[] = [];
  const distinct = new Set(prompts.map(({ text }) => normalised(text))).size;
  const anIteration = ppo.sequences / ppo.responsesPerPrompt;
  if (distinct < anIteration)
    findings.push({
      id: "prompts/few",
      severity: "warning",
      what: `${inWords(distinct)} distinct prompts for the ${inWords(anIteration)} of an iteration`,
      why: "every prompt comes again in every iteration: the policy learns these answers by heart, and nothing else",
      remedy: "more prompts, or more ppo.responsesPerPrompt so that an iteration asks fewer",
      source: `${source}: prompts too narrow`,
    });
  if (distinct / prompts.length < repeatedShare)
    findings.push({
      id: "prompts/repeated",
      severity: "warning",
      what: `${percent(distinct / prompts.length)} of the ${inWords(prompts.length)} prompts are distinct (${inWords(distinct)})`,
      why: "what is repeated is learned more often than the rest, and by heart",
      remedy: "remove the repeated rows; ppo.responsesPerPrompt draws several responses to one prompt",
      source: `${source}: prompts too narrow`,
    });
  const kinds = kindsOf(prompts);
  if (kinds.count < fewKinds)
    findings.push({
      id: "prompts/narrow",
      severity: "warning",
      what:
        kinds.by === "kind"
          ? `the prompts are of ${kinds.count} ${kinds.count === 1 ? "kind" : "kinds"}`
          : `the prompts begin in ${kinds.count} ${kinds.count === 1 ? "way" : "ways"} (first two words, all numbers counted as one)`,
      why: "a policy trained on one kind of request answers every other as if it were of that kind",
      remedy: "add prompts of the kinds that must stay as they are",
      source: `${source}: prompts too narrow`,
    });
  return findings;
}

/** Findings on evaluation prompts that are also trained on. */
export function evaluationFindings({
  prompts,
  evaluationPrompts,
}: Pick<DoctorFacts, "prompts" | "evaluationPrompts">): Finding[] {
  if (evaluationPrompts === "training")
    return [
      {
        id: "evaluation/is_training",
        severity: "warning",
        what: "the evaluation asks the prompts that PPO trains on",
        why: "a policy that has learned them by heart looks like one that has learned the task",
        remedy: "evaluation.prompts.path with prompts that are kept out of training",
        source: `${source}: evaluation equal to training`,
      },
    ];
  if (prompts === null || evaluationPrompts === null || prompts.length === 0) return [];
  const found = overlap(
    evaluationPrompts.map(({ text }) => text),
    prompts.map(({ text }) => text),
  );
  const findings: Finding[] = [];
  const why = "they measure what was trained, not what was learned";
  if (found.exact.length > 0)
    findings.push({
      id: "evaluation/exact_overlap",
      severity: found.exact.length === found.count ? "error" : "warning",
      what: `${inWords(found.exact.length)} of ${inWords(found.count)} evaluation prompts are also trained on, such as ${quoted(found.exact[0]!)}`,
      why,
      remedy: "remove them from one of the two",
      source: `${source}: evaluation prompts that are also trained on; case and spaces do not count`,
    });
  if (found.near.length > nearShare * found.count) {
    const closest = found.near.reduce((best, pair) => (pair.similarity > best.similarity ? pair : best));
    findings.push({
      id: "evaluation/near_overlap",
      severity: "warning",
      what: `${inWords(found.near.length)} of ${inWords(found.count)} evaluation prompts nearly equal training prompts: ${quoted(closest.text)} is ${percent(closest.similarity)} like ${quoted(closest.like)}`,
      why,
      remedy: "prompts from another source, or other phrasings",
      source: `${source}; near: 80% of five-character shingles in common (Jaccard; Broder 1997), for more than ${percent(nearShare)} of the prompts`,
    });
  }
  return findings;
}

function quoted(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return `"${line.length > 50 ? `${line.slice(0, 49)}…` : line}"`;
}
