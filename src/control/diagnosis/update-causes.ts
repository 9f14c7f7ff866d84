/** Detectors on the update: KL explodes or drifts, entropy collapses, advantage signs flip. */
import { mean } from "../../rl/statistics.ts";
import { type Detector, diagnoses } from "./cause.ts";
import { lastMean, short, valuesOf } from "./diagnosis-history.ts";

/** Nats per token, KL(old, new) of one iteration, as in the rules (rules/default.yaml). */
const klAtOnce = 0.15;
const klForThree = 0.05;
const klToTarget = 4;
/** Share of iteration 0's entropy. */
const entropyLeft = 0.2;
const entropyFloor = 0.8;
const halvedWithin = 10;
const driftKl = 0.5;
const driftCoef = 0.02;

/** Detects KL(old, new) over 0.15 once or over 0.05 for three iterations, or a KL to the reference over four times its target. */
export const klExplodes: Detector = ({ history, settings }) => {
  const points = (history["kl/old_new_k3_token"] ?? []).filter(({ value }) => !Number.isNaN(value));
  const at = points.findIndex(
    ({ value }, i) =>
      value > klAtOnce || points.slice(i, i + 3).filter((point) => point.value > klForThree).length === 3,
  );
  const toTarget = Math.max(0, ...valuesOf(history, "kl/ref_to_target"));
  if (at === -1 && toTarget <= klToTarget) return [];
  const iteration = points[at]?.iteration ?? null;
  const largest = Math.max(...points.map(({ value }) => value));
  const seen =
    iteration === null
      ? `KL to the reference reached ${short(toTarget)} times its target`
      : `KL(old, new) from iteration ${iteration} on, up to ${short(largest)} nats a token`;
  const from = iteration ?? 0;
  const clipped = lastMean(valuesOf(history, "clip/fraction", { from, to: from + 5 }), 5);
  const rates = valuesOf(history, "settings/policy_learning_rate", { to: from + 1 });
  const usualRate = rates.at(-2);
  const rateJump = usualRate !== undefined && rates.at(-1)! > 3 * usualRate ? rates.at(-1)! / usualRate : null;
  const step = settings.sequences / settings.minibatches;
  const { epochs, clipHigh } = settings;
  return diagnoses("kl_explodes", seen, [
    ...(rateJump === null
      ? []
      : [
          {
            id: "learning_rate_high" as const,
            evidence: `at iteration ${from} it was ${short(rateJump)} times that before`,
            remedy: "the previous rate, or a tenth of it",
          },
        ]),
    {
      id: "clip_wide",
      evidence:
        clipHigh > 0.2 && clipped < 0.1
          ? `a clip of ${clipHigh} that hardly ever binds (${short(clipped)} of tokens)`
          : null,
      settings: clipHigh > 0.1 ? `ppo.clipHigh ${clipHigh}` : null,
      remedy: "ppo.clipLow=0.1 ppo.clipHigh=0.1",
    },
    {
      id: "epochs_many",
      evidence: epochs > 4 ? `${epochs} epochs; published are 1 to 4` : null,
      settings: epochs > 2 ? `ppo.epochs ${epochs}` : null,
      remedy: `ppo.epochs=${epochs > 2 ? 2 : 1}, or ppo.stopEpochsAtKl=0.015`,
    },
    {
      id: "sequences_few",
      evidence: step < 64 ? `${step} a step: most of the gradient is noise` : null,
      settings: step < 256 ? `${step} a step` : null,
      remedy: `ppo.sequences=${512 * settings.minibatches}`,
    },
  ]);
};

/** Detects entropy under a fifth of iteration 0's and halved within 10 iterations, or under 0.8 nats on the absolute scale. */
export const entropyCollapses: Detector = ({ history, settings, entropyScale }) => {
  const entropy = valuesOf(history, "entropy/mean");
  const newest = entropy.at(-1);
  const first = entropy[0];
  if (newest === undefined || first === undefined) return [];
  const halvedAt = entropy.findIndex(
    (value, i) => value < 0.5 * Math.max(...entropy.slice(Math.max(0, i - halvedWithin + 1), i + 1)),
  );
  const low = newest < entropyLeft * first;
  const belowFloor = entropyScale === "absolute" && newest < entropyFloor;
  if (!low && !belowFloor && halvedAt === -1) return [];
  const seen =
    halvedAt === -1
      ? `${short(newest)} nats of ${short(first)} at the start`
      : `halved within ${halvedWithin} iterations by iteration ${halvedAt}; now ${short(newest)} nats of ${short(first)} at the start`;
  const { temperature, entropyCoef, lengthReward } = settings;
  const lengths = valuesOf(history, "response/length_mean");
  const shortened = lastMean(lengths, 3) / (lengths[0] ?? Number.NaN);
  const byLength = lastMean(valuesOf(history, "reward/length_correlation"), 5);
  const agreement = valuesOf(history, "response/repeat_agreement");
  // Few prompts occur twice in an iteration: three iterations together depend less on chance.
  const three = (from: number) => mean(agreement.slice(from, from + 3));
  const agreed = agreement.findIndex((_, i) => i >= 3 && i + 3 <= agreement.length && three(i) - three(i - 3) > 0.5);
  // A policy that is thrown far also agrees with itself.
  const moved = valuesOf(history, "kl/old_new_k3_token").some((kl) => kl > klForThree);
  const sampled = valuesOf(history, "settings/temperature").at(-1) ?? temperature;
  return diagnoses("entropy_collapses", seen, [
    {
      id: "temperature_low",
      evidence:
        sampled < 0.5
          ? `responses are sampled at ${sampled}`
          : agreed > 0 && !moved
            ? `samples of one prompt agree all at once: ${short(three(agreed - 3))}, then ${short(three(agreed))}`
            : null,
      settings: sampled !== 0.8 ? `ppo.temperature ${temperature}` : null,
      remedy: "ppo.temperature=0.8",
    },
    {
      id: "entropy_bonus_weak",
      evidence: null,
      settings: entropyCoef < 0.02 ? `ppo.entropyCoef ${entropyCoef}` : null,
      remedy: "ppo.entropyCoef=0.02",
    },
    {
      id: "length_penalty_strong",
      evidence:
        shortened < 0.5 && (byLength < -0.6 || lengthReward)
          ? `responses have ${short(100 * shortened)}% of their first length${lengthReward ? ", and a component judges length" : `, and score falls with length (${short(byLength)})`}`
          : null,
      settings: lengthReward ? "a component of the reward judges length" : null,
      remedy: "a smaller weight of it, or a wider range",
    },
  ]);
};

/** Detects that over the newest 10 iterations signs flip more than 1.1 times as often as independent signs would. */
export const advantageSigns: Detector = ({ history, settings }) => {
  const rate = lastMean(valuesOf(history, "advantage/sign_flip_rate"), 10);
  const chance = lastMean(valuesOf(history, "advantage/sign_flip_chance"), 10);
  if (!(rate > 1.1 * chance)) return [];
  const { gamma, lambda } = settings;
  return diagnoses(
    "advantage_signs",
    `${short(100 * rate)}% of neighbouring tokens; chance gives ${short(100 * chance)}%`,
    [
      {
        id: "lambda_low",
        evidence: `advantages of neighbouring tokens differ in sign more often than by chance, with lambda ${lambda} and gamma ${gamma}`,
        remedy: `${gamma < 1 ? "ppo.gamma=1 and " : ""}a higher lambda (ppo.lambda=${(lambda ?? 0) < 0.95 ? 0.95 : 0.98}) for a score at the end; docs/PPO.md, defaults, says what fits which reward`,
      },
    ],
  );
};

/** Detects that the KL to the reference exceeds 0.5 nats per token and still rises, with a coefficient under 0.02. */
export const klTooSmall: Detector = ({ history, settings }) => {
  const kl = valuesOf(history, "kl/ref_k3_token");
  const coef = lastMean(valuesOf(history, "kl/coef"), 1);
  const inForce = Number.isNaN(coef) ? settings.klCoef : coef;
  const newest = lastMean(kl, 3);
  if (!(inForce < driftCoef) || !(newest > driftKl) || !(newest > lastMean(kl.slice(0, -10), 3))) return [];
  return diagnoses("kl_too_small", `KL to the reference is ${short(newest)} nats a token, and rising`, [
    {
      id: "kl_coef_low",
      evidence: `the KL coefficient is ${short(inForce)}`,
      remedy: "ppo.kl.coef=0.05 or more, from the start",
    },
  ]);
};
