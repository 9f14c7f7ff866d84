/** The settings of a run as possible causes: each judged against its published band, over the whole run. */
import { judgedCauses, type Outside, outsideBands } from "../bands.ts";
import type { PpoFacts } from "../doctor/facts.ts";
import { inWords } from "../doctor/finding.ts";
import { type Diagnosis, type DiagnosisInput, diagnoses, likelihood, type Symptom } from "./cause.ts";
import type { CauseId } from "./causes.ts";

/** The metrics that record settings in force. */
const recorded = {
  learningRate: "settings/policy_learning_rate",
  criticLearningRate: "settings/critic_learning_rate",
  sequences: "settings/sequences",
  minibatches: "settings/minibatches",
  responsesPerPrompt: "settings/responses_per_prompt",
  epochs: "settings/epochs",
  maxNewTokens: "settings/max_new_tokens",
  temperature: "settings/temperature",
  topK: "settings/top_k",
  topP: "settings/top_p",
  clipLow: "settings/clip_low",
  clipHigh: "settings/clip_high",
  dualClip: "settings/dual_clip",
  valueClip: "settings/value_clip",
  entropyCoef: "settings/entropy_coef",
  gamma: "settings/gamma",
  lambda: "settings/lambda",
  maxGradNorm: "settings/max_grad_norm",
  weightDecay: "settings/weight_decay",
  scoreClip: "settings/score_clip",
  missingEosPenalty: "settings/missing_eos_penalty",
  stopEpochsAtKl: "settings/stop_epochs_at_kl",
  penaltyBeta: "kl/penalty_beta",
  klCoef: "kl/coef",
} as const satisfies Partial<Record<keyof PpoFacts, string>>;

/** Schedules lower a rate on purpose: only a rate above the configured one is a change. */
const scheduled: ReadonlySet<string> = new Set(["learningRate", "criticLearningRate"]);

/** A setting outside its band in some iteration, at its furthest. */
export interface Suspect extends Outside {
  readonly since: number;
  /** The setting as the run began, if it was within its band then; null if it was outside from the start. */
  readonly before: number | null;
}

/** The settings in force at the start and after each change. */
export function settingsOverTime({
  history,
  settings,
}: Pick<DiagnosisInput, "history" | "settings">): { readonly iteration: number; readonly settings: PpoFacts }[] {
  const changes = new Map<number, Record<string, number>>();
  for (const [name, key] of Object.entries(recorded)) {
    const configured = settings[name as keyof typeof recorded];
    if (configured === null) continue;
    let before = configured;
    for (const { iteration, value } of history[key] ?? []) {
      if (!Number.isFinite(value)) continue;
      const now = scheduled.has(name) ? Math.max(value, configured) : value;
      if (now === before) continue;
      changes.set(iteration, { ...changes.get(iteration), [name]: now });
      before = now;
    }
  }
  let inForce: PpoFacts = settings;
  const first = { iteration: 0, settings: { ...inForce, ...changes.get(0) } };
  inForce = first.settings;
  const later = [...changes].filter(([iteration]) => iteration > 0).sort(([a], [b]) => a - b);
  return [
    first,
    ...later.map(([iteration, changed]) => {
      inForce = { ...inForce, ...changed };
      return { iteration, settings: inForce };
    }),
  ];
}

/** Every setting that was outside its band, with when that began. */
export function suspects(input: Pick<DiagnosisInput, "history" | "settings" | "model">): Suspect[] {
  const found = new Map<string, Suspect>();
  const times = settingsOverTime(input);
  for (const { iteration, settings } of times)
    for (const outside of outsideBands({ ppo: settings, model: input.model })) {
      const key = `${outside.setting} ${outside.cause}`;
      const known = found.get(key);
      if (known !== undefined && known.distance >= outside.distance) continue;
      const since = known?.since ?? iteration;
      const name = outside.setting.slice("ppo.".length).replace("kl.coef", "klCoef") as keyof PpoFacts;
      const start = times[0]!.settings[name];
      found.set(key, { ...outside, since, before: since > 0 && typeof start === "number" ? start : null });
    }
  return [...found.values()];
}

/** A setting this far outside its band explains trouble by itself. */
const far = 1;

/** What each setting, far outside its band, brings about. */
const bringsAbout: Partial<Record<CauseId, readonly Symptom[]>> = {
  learning_rate_high: ["kl_explodes", "reward_falls", "entropy_collapses", "gold_falls", "reward_too_clever"],
  learning_rate_low: ["reward_flat"],
  warmup_long: ["reward_flat"],
  critic_rate_high: ["critic_overfits", "critic_lags", "reward_falls", "gold_falls", "reward_flat"],
  critic_rate_low: ["critic_lags", "reward_flat", "gold_falls"],
  value_clip_tight: ["critic_lags"],
  value_clip_loose: ["critic_overfits"],
  value_coef_low: ["critic_lags"],
  value_coef_high: ["critic_overfits", "reward_flat"],
  slow_critic_stale: ["critic_lags"],
  clip_wide: ["kl_explodes", "reward_falls", "gold_falls", "entropy_collapses"],
  clip_tight: ["reward_flat"],
  dual_clip_tight: ["reward_flat"],
  epochs_many: ["kl_explodes", "reward_falls", "gold_falls", "entropy_collapses", "critic_overfits"],
  update_ends_early: ["reward_flat"],
  penalty_weak: ["kl_explodes", "reward_falls", "gold_falls"],
  penalty_strong: ["reward_flat"],
  sequences_few: ["metrics_swing", "reward_flat", "kl_explodes", "reward_falls", "gold_falls", "entropy_collapses"],
  responses_few: ["reward_flat"],
  kl_coef_low: ["kl_too_small", "reward_falls", "kl_explodes", "gold_falls", "reward_too_clever", "entropy_collapses"],
  kl_coef_high: ["reward_flat"],
  temperature_low: ["entropy_collapses", "reward_flat", "gold_falls"],
  temperature_high: ["responses_truncated", "reward_flat", "reward_falls", "gold_falls", "reward_suspect"],
  sampling_truncated: ["not_its_own", "kl_explodes", "reward_flat", "gold_falls"],
  entropy_bonus_strong: ["responses_truncated", "reward_flat", "reward_falls", "gold_falls", "kl_too_small"],
  gradient_unclipped: ["reward_falls", "kl_explodes", "gold_falls"],
  gradient_clip_tight: ["reward_flat"],
  optimizer_unusual: ["kl_explodes", "reward_flat", "reward_falls", "gold_falls"],
  weight_decay_high: ["reward_falls", "reward_flat", "gold_falls", "kl_too_small"],
  gamma_low: ["reward_flat", "critic_lags", "advantage_signs", "gold_falls"],
  lambda_low: ["advantage_signs", "reward_flat", "critic_lags", "gold_falls"],
  whitening_off: ["reward_flat", "kl_explodes", "reward_falls", "gold_falls"],
  score_clip_tight: ["reward_suspect", "reward_flat", "gold_falls"],
  eos_penalty_strong: ["reward_suspect", "reward_falls", "gold_falls", "reward_flat"],
};

/**
 * Judges causes that name a setting by its band: one within it is at most possible; one outside is likely if it has evidence of its own, or if it is
 * far outside and a symptom fits. Settings far outside that no detector named are added.
 */
export function judgedBySettings(found: readonly Diagnosis[], input: DiagnosisInput): Ranked[] {
  const outside = suspects(input);
  const judged = judgedCauses({ ppo: input.settings, model: input.model });
  const named = found.map((one): Ranked => {
    const suspect = outside.find(({ cause }) => cause === one.id);
    if (suspect !== undefined) {
      const sure = suspect.distance >= far || one.likelihood === likelihood.likely;
      return {
        ...one,
        likelihood: sure ? likelihood.likely : Math.max(one.likelihood, likelihood.possible),
        evidence: joined(inBands(suspect), one.evidence),
        since: suspect.since,
        distance: suspect.distance,
      };
    }
    const sure = one.likelihood === likelihood.likely;
    if (!judged.has(one.id)) return { ...one, distance: sure ? 1 : 0 };
    return { ...one, likelihood: Math.min(one.likelihood, likelihood.possible), distance: sure ? 0.5 : 0 };
  });
  const symptoms = new Map(found.map(({ symptom, seen }) => [symptom, seen]));
  const added = outside
    .filter(({ cause, distance }) => distance >= far && !found.some(({ id }) => id === cause))
    .flatMap((suspect): Ranked[] => {
      const fits = bringsAbout[suspect.cause]?.find((symptom) => symptoms.has(symptom));
      const text = inBands(suspect);
      const candidate = { id: suspect.cause, remedy: suspect.remedy, since: suspect.since };
      const [one] =
        fits === undefined
          ? diagnoses("setting_unusual", suspect.what, [{ ...candidate, evidence: null, settings: text }])
          : diagnoses(fits, symptoms.get(fits)!, [{ ...candidate, evidence: text }]);
      return [{ ...one!, distance: suspect.distance }];
    });
  return [...named, ...added];
}

/** A diagnosis with how far outside its band the setting is that it names; 1 if it names none. */
export type Ranked = Diagnosis & { readonly distance: number };

function inBands({ what, since, before, source, why }: Suspect): string {
  const when = before === null ? "" : ` from iteration ${since} on (it began at ${inWords(before)})`;
  return `${what}${when}: ${why} (${source})`;
}

function joined(...parts: readonly string[]): string {
  return parts.filter((text) => text !== "only the symptom").join("; ");
}
