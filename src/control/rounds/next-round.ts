/** The round that follows: which stage, and the one subject that changes in it. Pure. */
import type { RoundJudgement, RoundRecord, RoundStage } from "./judge-round.ts";

export interface RoundSettings {
  /** The reward's components, as in the configuration. */
  readonly rewards: readonly { readonly kind: string; readonly weight: number }[];
  readonly learningRate: number;
  /** The rates that fit the policy's size; null if it is unknown. */
  readonly band: { readonly low: number; readonly high: number } | null;
  readonly sequences: number;
  readonly minibatches: number;
  readonly iterations: number;
  readonly missingEosPenalty: number;
  /** Whether the scores of every iteration were all equal. */
  readonly constant: boolean;
  /** Whether only the first prompts of the files were used. */
  readonly limited: boolean;
}

/** Files that the operator names for the next round. */
export interface RoundFiles {
  readonly prompts: boolean;
  readonly evaluation: boolean;
}

export interface NextRound {
  readonly stage: RoundStage;
  readonly subject: "settings" | "reward" | "prompts" | "evaluation";
  /** The changed settings by dotted key; null if a file decides. `add` appends to a list. */
  readonly change: { readonly key: string; readonly value: unknown; readonly add?: true } | null;
  readonly why: string;
}

/** What to do; `next` is null if there is no further round, or if the operator must decide first. */
export interface NextStep {
  readonly next: NextRound | null;
  /** What to do in a sentence, with a command if there is one. */
  readonly advice: string;
}

/** Sequences per step below which metrics swing by 5% and more (docs/PPO.md, defaults). */
const fewSequences = 256;
/** Iterations below which no trend is judged (docs/diagnosis.md: judged too early). */
const fewIterations = 20;
/** KL to the reference below which a policy has hardly moved: a tenth of what healthy runs reach (docs/doctor.md). */
const hardlyMoved = 0.01;

export function nextStep(
  record: RoundRecord,
  { verdict }: Pick<RoundJudgement, "verdict">,
  { settings, files }: { readonly settings: RoundSettings; readonly files: RoundFiles },
): NextStep {
  const { stage } = record;
  switch (verdict) {
    case "unfinished":
      return { next: null, advice: "Let the run end first: ballast resume RUN continues it." };
    case "failed":
      return { next: null, advice: record.failure?.hint ?? "Mend it, then continue with: ballast resume RUN." };
    case "unproven":
      return files.evaluation
        ? withRound({ stage, subject: "evaluation", change: null, why: "the same round, judged on prompts of its own" })
        : { next: null, advice: "Give it prompts of its own to be judged on: ballast next RUN --evaluation FILE." };
    case "suspect":
      return refined(
        stage <= 2 ? stage : 2,
        record,
        settings,
        "suspect the reward before anything else: a second component sees what the first does not",
      );
    case "worse":
    case "flat":
      if (stage === 1 && verdict === "flat" && settings.constant)
        return {
          next: null,
          advice:
            "In no iteration did two scores differ: PPO had nothing to learn from, and no setting changes that. Read samples beside their scores. If they are as the objective says, it is met already; if not, the reward or the prompts must tell good answers from bad ones.",
        };
      if (record.likely !== null) return mended(stage, record.likely);
      if (stage === 1) return withRound(controllable(record, verdict, settings));
      if (stage === 2)
        return refined(2, record, settings, "the last refinement did not help: another one, against the same run");
      return wider(stage, files, settings, "the behaviour does not carry over");
    case "lost":
      return stage === 2
        ? refined(2, record, settings, "the round before ended higher: a different refinement")
        : wider(stage, files, settings, "the behaviour carries over only in part");
    case "moved":
      if (stage === 1) return refined(2, record, settings, "the behaviour is controllable: now the reward, finely");
      if (stage === 2) return wider(3, files, settings, "the reward does what it should: now wider data");
      if (stage === 3)
        return withRound({
          stage: 4,
          subject: "evaluation",
          change: null,
          why: "it holds on wider data: now a harder evaluation",
        });
      return {
        next: null,
        advice:
          "All four rounds succeeded. Repeat the last one with other seeds before you rely on it: ballast run FILE seed=2.",
      };
  }
}

function withRound(next: NextRound): NextStep {
  return { next, advice: next.why };
}

/** What the diagnosis calls likely comes before any other guess: its setting, if it names one, else its words. */
function mended(stage: RoundStage, { cause, remedy }: NonNullable<RoundRecord["likely"]>): NextStep {
  const [, key, value] = /^(ppo\.[\w.]+)=([\d.]+(?:e-?\d+)?)(?![\w.])/.exec(remedy) ?? [];
  if (stage === 1 && key !== undefined)
    return withRound({
      stage,
      subject: "settings",
      change: { key, value: Number(value) },
      why: `the diagnosis calls it likely that ${cause}: ${remedy}`,
    });
  return {
    next: null,
    advice: `The diagnosis calls it likely that ${cause}. Mend that first, and repeat this round: ${remedy}. ballast diagnose RUN has the evidence.`,
  };
}

/** Round 1 again: one setting, by what the record shows (docs/diagnosis.md: the reward does not rise; the reward falls). */
function controllable(
  { evaluation, iterations: done }: RoundRecord,
  verdict: "worse" | "flat",
  settings: RoundSettings,
): NextRound {
  const { learningRate, band, sequences, minibatches, iterations } = settings;
  const change = (key: string, value: number, why: string): NextRound => ({
    stage: 1,
    subject: "settings",
    change: { key, value },
    why,
  });
  const rate = (wanted: number) =>
    Number((band ? Math.min(band.high, Math.max(band.low, wanted)) : wanted).toPrecision(2));
  if (done < fewIterations)
    return change(
      "ppo.iterations",
      Math.max(2 * iterations, fewIterations),
      `${done} ${done === 1 ? "iteration says" : "iterations say"} nothing yet: a trend is judged from ${fewIterations} on`,
    );
  if (verdict === "worse") {
    const lower = rate(learningRate / 10);
    if (lower < learningRate)
      return change("ppo.learningRate", lower, "it got worse: a rate ten times lower, within the band of its size");
    return change(
      "ppo.sequences",
      2 * sequences,
      "it got worse at a rate that is low already: twice the sequences a step",
    );
  }
  const moved = evaluation?.after.figures.klK3Token?.mean ?? Number.NaN;
  const higher = rate(10 * learningRate);
  if (moved < hardlyMoved && higher > learningRate)
    return change(
      "ppo.learningRate",
      higher,
      `the policy hardly moved (${moved.toPrecision(2)} nats a token): up to ten times the rate, within the band of its size`,
    );
  if (sequences / minibatches < fewSequences)
    return change(
      "ppo.sequences",
      2 * sequences,
      "nothing rose beyond noise: twice the sequences a step, for less of it",
    );
  return change("ppo.iterations", 2 * iterations, "nothing rose beyond noise: twice the iterations");
}

/** A refinement of the reward that the run does not have yet, the one that its record asks for first. */
function refined(stage: RoundStage, record: RoundRecord, settings: RoundSettings, why: string): NextStep {
  const { rewards, missingEosPenalty } = settings;
  const { signals, evaluation } = record;
  const has = (kind: string) => rewards.some((one) => one.kind === kind && one.weight !== 0);
  const [lengthWas, lengthIs] = [evaluation?.before?.figures.length?.mean, evaluation?.after.figures.length?.mean];
  const grew = lengthWas !== undefined && lengthIs !== undefined && lengthIs > 1.25 * lengthWas;
  const cut = (signals["response/truncated_share"]?.last ?? 0) > 0.3;
  const repeats = signals["response/repeated_4gram_share"];
  const max = Math.max(8, Math.ceil(1.5 * (lengthWas ?? lengthIs ?? 32)));
  const component = (value: object, says: string, asked: boolean) => ({
    asked,
    key: "ppo.rewards",
    value,
    add: true as const,
    says,
  });
  const candidates = [
    ...(missingEosPenalty === 0
      ? [
          {
            asked: cut,
            key: "ppo.missingEosPenalty",
            value: 0.5,
            says: "more than 30% of the responses are cut off: they cost half a point",
          },
        ]
      : []),
    ...(has("length")
      ? []
      : [
          component(
            { kind: "length", max, slack: max, weight: 0.2 },
            grew ? "answers grew by more than a quarter: length is watched" : "a small component that watches length",
            grew,
          ),
        ]),
    ...(has("repetition")
      ? []
      : [
          component(
            { kind: "repetition", weight: 0.2 },
            "a small component against repetition",
            repeats !== null && repeats.last > repeats.first + 0.05,
          ),
        ]),
  ];
  const chosen = candidates.find(({ asked }) => asked) ?? candidates.find(({ key }) => key === "ppo.rewards");
  if (chosen === undefined)
    return {
      next: null,
      advice: `${why}. The reward has the components that could be added blindly; change its weights or its function yourself, and say so: experiment: {stage: ${stage}, previous: RUN}.`,
    };
  const { key, value, says } = chosen;
  return withRound({
    stage,
    subject: "reward",
    change: { key, value, ...("add" in chosen && { add: true }) },
    why: `${why}; ${says}`,
  });
}

/** Wider data: what the operator names, else the rest of the files if a limit left some out. */
function wider(stage: RoundStage, files: RoundFiles, settings: RoundSettings, why: string): NextStep {
  const round = { stage: 3, subject: "prompts", why } as const;
  if (files.prompts) return withRound({ ...round, change: null });
  if (stage === 3 && settings.limited)
    return withRound({
      ...round,
      change: { key: "ppo.prompts.limit", value: 0 },
      why: `${why}; all rows of the files, in place of the first`,
    });
  return {
    next: null,
    advice: `${why}. Name prompts of more kinds, which are added to those of this run: ballast next RUN --prompts FILE.`,
  };
}
