/** The parts of a diagnosis: symptoms, their causes, and the evidence for each. */
import type { ModelFacts, PpoFacts } from "../doctor/facts.ts";
import type { Finding } from "../doctor/finding.ts";
import { type CauseId, causes } from "./causes.ts";
import type { RunHistory } from "./diagnosis-history.ts";

export const symptoms = {
  reward_suspect: "the reward's scores look wrong",
  responses_truncated: "responses run into their limit",
  reward_moves: "the reward moves by itself",
  gold_falls: "the gold check falls",
  reward_flat: "the reward does not rise",
  reward_falls: "the reward falls suddenly",
  entropy_collapses: "entropy collapses",
  kl_explodes: "KL explodes",
  metrics_swing: "metrics swing by more than 10%",
  advantage_signs: "advantage signs flip between neighbours beyond chance",
  critic_lags: "the critic lags",
  critic_overfits: "the critic overfits",
  gold_jumps: "the gold check jumps at once",
  out_of_memory: "out of memory",
  reward_too_clever: "a reward too clever: shortcuts",
  kl_too_small: "KL too small: drift",
  check_fell: "a gold check fell in the evaluation",
  prompts_narrow: "prompts too narrow",
  evaluation_is_training: "the evaluation equals the training",
  not_its_own: "numbers do not belong together",
  setting_unusual: "a setting is far outside its published band",
  trend_unproven: "the trend is not significant yet",
} as const;

export type Symptom = keyof typeof symptoms;

/**
 * How likely a cause is: 0.9 if evidence of its own was seen besides the symptom, 0.5 if the symptom and the settings agree with it, 0.2 if only the
 * symptom supports it.
 */
export const likelihood = { likely: 0.9, possible: 0.5, conceivable: 0.2 } as const;

export interface Diagnosis {
  readonly symptom: Symptom;
  /** The symptom in numbers. */
  readonly seen: string;
  readonly id: CauseId;
  /** The cause in words. */
  readonly cause: string;
  readonly likelihood: number;
  readonly evidence: string;
  readonly remedy: string;
  /** The first iteration in which the cause shows; null if it has no beginning. */
  readonly since: number | null;
  /** Samples worth reading, if a human is the best judge of the cause. */
  readonly samples: readonly SampleSeen[];
}

export interface SampleSeen {
  readonly prompt: string;
  readonly response: string;
  readonly score: number;
}

/** The input of the detectors. */
export interface DiagnosisInput {
  readonly history: RunHistory;
  /** Number of iterations recorded. */
  readonly done: number;
  readonly settings: PpoFacts & {
    readonly microBatch: number;
    /** Whether a component of the reward judges length. */
    readonly lengthReward: boolean;
  };
  /** The policy's size; null if unknown. */
  readonly model: Pick<ModelFacts, "parameters" | "lora">;
  /** What the doctor and the pre-flight of the reward found when the run began. */
  readonly findings: readonly Pick<Finding, "id" | "what" | "remedy">[];
  /** Accuracy of the reward model on its held-out pairs, at the end of its training; null without one. */
  readonly heldOutAccuracy: number | null;
  readonly entropyScale: "absolute" | "relative";
  /** Messages of errors and warnings, oldest first. */
  readonly messages: readonly string[];
  /** Whether the process died without a message. */
  readonly lost: boolean;
  /** The machine's memory in MiB; null if unknown. */
  readonly memoryMb: number | null;
  /** Samples of the newest iteration. */
  readonly samples: readonly SampleSeen[];
}

/** One cause of a symptom; `evidence` is null if only the symptom supports it. */
export interface Candidate {
  readonly id: CauseId;
  /** What was seen that supports only this cause. */
  readonly evidence: string | null;
  /** What the settings say, if they agree with it. */
  readonly settings?: string | null;
  readonly remedy: string;
  readonly since?: number;
  readonly samples?: readonly SampleSeen[];
}

export function diagnoses(symptom: Symptom, seen: string, candidates: readonly Candidate[]): Diagnosis[] {
  return candidates.map(({ id, evidence, settings = null, remedy, since = null, samples = [] }) => ({
    symptom,
    seen,
    id,
    cause: causes[id],
    likelihood:
      evidence !== null ? likelihood.likely : settings !== null ? likelihood.possible : likelihood.conceivable,
    evidence: [evidence, settings].filter((text) => text !== null).join("; ") || "only the symptom",
    remedy,
    since,
    samples,
  }));
}

export type Detector = (input: DiagnosisInput) => Diagnosis[];
