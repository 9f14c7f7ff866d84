/** The doctor's findings, and the ids of all of them. */

/** Every finding's id; docs/doctor.md has a line for each. */
export const findingIds = [
  "objective/form",
  "batch/few_sequences",
  "batch/tiny_step",
  "batch/many_sequences",
  "batch/corner",
  "batch/token_budget",
  "rate/above_band",
  "rate/below_band",
  "rate/above_sft",
  "clip/loose",
  "clip/tight",
  "update/many_epochs",
  "update/ends_early",
  "update/penalty",
  "update/not_whitened",
  "optimizer/unusual",
  "sampling/temperature",
  "sampling/truncated",
  "sampling/entropy_bonus",
  "sampling/responses",
  "value/clip",
  "value/coefficient",
  "value/slow_critic",
  "gradient/unclipped",
  "gradient/clip_unusual",
  "critic/slow",
  "critic/rate_unusual",
  "critic/weak_for_steps",
  "critic/cold",
  "credit/gamma_forgets",
  "credit/lambda_low",
  "credit/lambda_high",
  "kl/no_reference",
  "kl/starts_low",
  "kl/starts_high",
  "kl/bounded_controller",
  "kl/controller_jumps",
  "reward/score_clip",
  "reward/eos_penalty",
  "reward/one_component",
  "reward/constant",
  "reward/rare_success",
  "reward/sparse",
  "reward/normalised",
  "reward/scale",
  "reward/offset",
  "reward/truncated",
  "reward/unrepeatable",
  "reward/call_order",
  "reward/inaccurate",
  "reward/unusable",
  "policy/untrained",
  "policy/wide",
  "policy/never_ends",
  "policy/narrow",
  "policy/stops",
  "prompts/few",
  "prompts/repeated",
  "prompts/narrow",
  "evaluation/is_training",
  "evaluation/exact_overlap",
  "evaluation/near_overlap",
  "experiment/stage",
  "experiment/outside_stage",
  "experiment/confounded",
  "doctor/unknown_explanation",
  "doctor/idle_explanation",
  "files/missing",
  "rows/unusable",
] as const;

export type FindingId = (typeof findingIds)[number];

/** `error`: the run cannot learn anything as it is; `warning`: likely to go wrong; `note`: worth knowing. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** What was found, in numbers. */
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
  /** Where the advice and its numbers come from. */
  readonly source: string;
}

/** The finding as one message of a run's record. */
export function findingMessage({ id, what, why, remedy }: Finding): string {
  return `${what}: ${why}. What to do: ${remedy} (${id})`;
}

/** A number for a sentence: three significant digits, with thousands separators, small ones as powers of ten. */
export function inWords(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (value !== 0 && magnitude < 1e-3) return Number(value.toPrecision(2)).toExponential();
  return Number(value.toPrecision(magnitude >= 1000 ? 15 : 3)).toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** A model's number of parameters: `0.8 million`, `1.3 billion`. */
export function parametersInWords(parameters: number): string {
  const [size, unit] = parameters >= 1e9 ? [1e9, "billion"] : [1e6, "million"];
  const count = parameters / size;
  return `${Number(count.toFixed(count >= 10 ? 0 : count >= 0.1 ? 1 : 3))} ${unit}`;
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(share < 0.1 ? 1 : 0))}%`;
}
