/** Which gold check a run has: the configured one, the built-in task's, or what its rows give; and what the run's start says of it. */
import { learnedComponents } from "../reward/index.ts";
import { answerIn, numbersIn } from "../reward/number.ts";
import type { Config, GoldConfig, PpoConfig } from "../settings/config-schema.ts";
import type { RunRows } from "./run-rows.ts";

export interface GoldPlan {
  /** The check; `task`: the built-in task's own. null if there is none. */
  readonly check: GoldConfig | { readonly kind: "task" } | null;
  /** Whether the check differs from the reward. */
  readonly independent: boolean;
  /** What it is, or what its absence means, in a sentence. */
  readonly says: string;
}

/** The marker of GSM8K's answers. */
const marker = "####";
/** Most characters of a reference that is a number and nothing else. */
const longestNumber = 24;

/** Decides without opening anything; reads the prompts. */
export function goldPlan(config: Config, rows: RunRows): GoldPlan {
  const ppo = config.ppo!;
  if (ppo.gold?.kind === "none") return blind("ppo.gold is none");
  if (ppo.gold !== undefined) return planOf(ppo.gold, ppo, `gold check: ppo.gold (${ppo.gold.kind})`);
  if (ppo.prompts === undefined && rows.task !== null) {
    if (sameText(rows.objective, rows.task.objective))
      return { check: { kind: "task" }, independent: true, says: "gold check: the built-in task's own" };
    return blind("the objective is not the help desk's, whose checks judge nothing else");
  }
  const given = rows.prompts().map(({ reference }) => reference);
  const numbers = given.length > 0 && given.every((reference) => reference !== null && isNumberReference(reference));
  if (numbers)
    return planOf(
      { kind: "last_number", marker, requireMarker: false },
      ppo,
      "gold check: the number of the answer against that of the row's reference",
    );
  if (given.some((reference) => reference !== null))
    return blind("the prompts have references that are more than a number: try ppo.gold: {kind: exact}, or a function");
  return blind("give one: ppo.gold (docs/config.md)");
}

/** A reference that ends in GSM8K's marked answer, or is a number by itself. */
export function isNumberReference(reference: string): boolean {
  const at = reference.lastIndexOf(marker);
  if (at >= 0) return answerIn(reference, { marker, requireMarker: true }) !== null;
  return reference.trim().length <= longestNumber && numbersIn(reference).length === 1 && !/\p{L}{2}/u.test(reference);
}

function blind(why: string): GoldPlan {
  return {
    check: null,
    independent: false,
    says: `REWARD HACKING CANNOT BE SEEN in this run, because it has no gold check: ${why}`,
  };
}

function planOf(gold: GoldConfig, ppo: PpoConfig, what: string): GoldPlan {
  const rewards = ppo.rewards.filter(({ weight }) => weight !== 0);
  const same = rewards.filter((component) => isSame(gold, component));
  if (same.length === 0) return { check: gold, independent: true, says: what };
  const says =
    same.length === rewards.length
      ? `${what}. REWARD HACKING CANNOT BE SEEN: the check is the reward itself, so on held-out prompts it shows overfitting and nothing else; give a check of a different kind in ppo.gold`
      : `${what}. It is part of the reward too: it can show that the rest of the reward is gamed, but what games this part games both`;
  // Held against the rest of the reward, a part of it still says something.
  return { check: gold, independent: same.length < rewards.length, says };
}

function isSame(gold: GoldConfig, component: PpoConfig["rewards"][number]): boolean {
  if (gold.kind === "function") return component.kind === "function" && component.path === gold.path;
  if (gold.kind === "model") return learnedComponents([component]).some(({ path }) => path === gold.path);
  if (gold.kind === "pattern") return component.kind === "pattern" && component.pattern === gold.pattern;
  return component.kind === gold.kind;
}

function sameText(a: string, b: string): boolean {
  const plain = (text: string) => text.replaceAll(/\s+/g, " ").trim();
  return plain(a) === plain(b);
}
