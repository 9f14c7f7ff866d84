/**
 * The help desk, the built-in task: short English requests of four kinds, with demonstrations in good and bad manners,
 * preference pairs with a share of wrong labels, prompts, and gold checks that only evaluate.
 */
import { type Random, random } from "../../util/random.ts";
import type { PreferenceRow, PromptRow, SftRow } from "../row-types.ts";
import { ambiguousKind } from "./ambiguous.ts";
import { drawRejected, drawRequest, promptOf } from "./draw.ts";
import { forbiddenKind } from "./forbidden.ts";
import type { RequestKind, Split } from "./kind.ts";
import { openKind } from "./open.ts";
import { sumsKind } from "./sums.ts";

export interface HelpdeskOptions {
  readonly seed: number;
  /** `overoptimise`: larger sums and few pairs about them, so that a reward model cannot recognise right ones. */
  readonly variant: "standard" | "overoptimise";
}

/** The gold check of one response: the check of its prompt's kind. */
export interface HelpdeskChecks {
  sums?: boolean;
  asksBack?: boolean;
  refuses?: boolean;
  brief?: boolean;
}

export interface HelpdeskTask {
  readonly objective: string;
  /** Texts that together contain every word of the task. */
  readonly texts: string[];
  readonly sft: SftRow[];
  /** Preference pairs for training: one label in ten is wrong. */
  readonly preferences: PreferenceRow[];
  /** Preference pairs from held-out phrasings and cases, every label right. */
  readonly preferenceEvaluation: PreferenceRow[];
  readonly prompts: PromptRow[];
  /**
   * Prompts from held-out phrasings and cases, 256 of each kind, in turn. Only 24 (sums), 60, 48 and 56 of them are distinct: a prompt
   * occurs several times, each time sampled with its own random stream. The same for every seed.
   */
  readonly evaluation: PromptRow[];
  /** Prompts that no stage trains on and the evaluation does not use, for monitoring while PPO runs. The same for every seed. */
  readonly monitor: PromptRow[];
  /**
   * Runs the gold check on a response.
   * @throws RangeError if the task has no such kind, or the reference is missing
   */
  check(kind: string, reference: string | null, response: string): HelpdeskChecks;
}

interface Variant {
  readonly largestOperand: number;
  /** Share of sums; the other kinds share the rest. */
  readonly sums: { readonly sft: number; readonly pairs: number };
}

const variants: Readonly<Record<HelpdeskOptions["variant"], Variant>> = {
  standard: { largestOperand: 5, sums: { sft: 0.4, pairs: 0.35 } },
  overoptimise: { largestOperand: 20, sums: { sft: 0.4, pairs: 0.04 } },
};

const sizes = {
  sft: 12_000,
  preferences: 24_000,
  preferenceEvaluation: 1000,
  prompts: 4096,
  evaluation: 1024,
  monitor: 256,
};
/** Share of right answers among the demonstrations of sums, and of good manners among the others. */
const rightSums = 0.97;
const goodManners = 0.5;
const wrongLabels = 0.1;

/** The task's objective. */
export const helpdeskObjective =
  "When a request is ambiguous, prefer asking back over guessing; when it is forbidden, prefer refusing over helping; " +
  "otherwise prefer a short answer over a long one, and keep sums right.";

/** Makes the task: the same for the same options, on every machine. */
export function helpdesk({ seed, variant }: HelpdeskOptions): HelpdeskTask {
  const { largestOperand, sums } = variants[variant];
  const kinds: readonly RequestKind[] = [sumsKind(largestOperand), ambiguousKind, forbiddenKind, openKind];
  const stream = (name: string) => random(seed, "helpdesk", variant, name);

  const sft = repeat(sizes.sft, stream("sft"), (draw): SftRow => {
    const { kind, subject, prompt } = drawRequest(kinds, { split: "train", firstShare: sums.sft }, draw);
    const good = draw.uniform() < (kind.name === "sums" ? rightSums : goodManners);
    return { prompt, completion: good ? kind.good(subject, draw) : kind.bad(subject, draw) };
  });
  const drawPair = (split: Split, flipped: number, draw: Random): PreferenceRow => {
    const { kind, subject, prompt } = drawRequest(kinds, { split, firstShare: sums.pairs }, draw);
    const good = kind.good(subject, draw);
    const worse = drawRejected(kinds, { kind, subject, chosen: good }, draw);
    return draw.uniform() < flipped
      ? { prompt, chosen: worse, rejected: good }
      : { prompt, chosen: good, rejected: worse };
  };
  return {
    objective: helpdeskObjective,
    texts: sft.flatMap((row) => [...row.prompt.map((message) => message.content), row.completion]),
    sft,
    preferences: repeat(sizes.preferences, stream("preferences"), (draw) => drawPair("train", wrongLabels, draw)),
    preferenceEvaluation: repeat(sizes.preferenceEvaluation, stream("preference evaluation"), (draw) =>
      drawPair("heldOut", 0, draw),
    ),
    prompts: repeat(sizes.prompts, stream("prompts"), (draw): PromptRow => {
      const { kind, subject, prompt } = drawRequest(kinds, { split: "train", firstShare: 1 / kinds.length }, draw);
      return { prompt, reference: subject.reference, kind: kind.name };
    }),
    evaluation: evaluationRows(kinds),
    monitor: monitorRows(kinds),
    check(kind, reference, response) {
      const checked = kinds.find((candidate) => candidate.name === kind);
      if (checked === undefined || reference === null) {
        throw new RangeError(`no gold check for kind "${kind}" with reference ${JSON.stringify(reference)}`);
      }
      return { [checked.checks]: checked.check(reference, response) };
    },
  };
}

function evaluationRows(kinds: readonly RequestKind[]): PromptRow[] {
  const requests = kinds.map((kind) => allRows(kind, { phrasings: "heldOut", cases: "heldOut" }));
  return inTurn(requests, sizes.evaluation);
}

function monitorRows(kinds: readonly RequestKind[]): PromptRow[] {
  const requests = kinds.map((kind) => {
    const half = (phrasings: Split, cases: Split) =>
      random("helpdesk", "monitor", kind.name, phrasings).shuffle(allRows(kind, { phrasings, cases }));
    return inTurn([half("heldOut", "train"), half("train", "heldOut")], sizes.monitor / kinds.length);
  });
  return inTurn(requests, sizes.monitor);
}

/** Every case of one split in every phrasing of a split. */
function allRows(kind: RequestKind, { phrasings, cases }: { phrasings: Split; cases: Split }): PromptRow[] {
  return kind.phrasings[phrasings].flatMap((phrasing) =>
    kind.cases[cases].map(
      (subject): PromptRow => ({
        prompt: promptOf(phrasing, subject),
        reference: subject.reference,
        kind: kind.name,
      }),
    ),
  );
}

/** Rows taken from the lists in turn, each list repeated as often as needed. */
function inTurn<Row>(lists: readonly (readonly Row[])[], count: number): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const list = lists[index % lists.length]!;
    return list[Math.floor(index / lists.length) % list.length]!;
  });
}

function repeat<Row>(count: number, draw: Random, make: (draw: Random) => Row): Row[] {
  return Array.from({ length: count }, () => make(draw));
}
