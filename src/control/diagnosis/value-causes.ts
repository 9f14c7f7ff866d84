/** Detectors on the critic: it lags behind the policy, or overfits each rollout. */
import { mean } from "../../rl/statistics.ts";
import { type Detector, diagnoses } from "./cause.ts";
import { lastMean, short, swing, valuesOf } from "./diagnosis-history.ts";

const window = 20;
/** Explained variance below which the critic lags, as in the rules. */
const lagging = 0.3;
const lossSwing = 0.5;
/** Change of the predictions in an update, in standard deviations of the returns, below which the critic stands still (rules/default.yaml). */
const stands = 1e-3;
/** Explained variance with bias of a critic that throws its values about. */
const wildly = -1;

/** Detects that after 20 iterations the explained variance's mean over the newest 20 is under 0.3. */
export const criticLags: Detector = ({ history, settings }) => {
  const values = valuesOf(history, "value/explained_variance");
  if (values.length < window) return [];
  const explained = lastMean(values, window);
  if (!(explained < lagging)) return [];
  const { learningRate, criticLearningRate, valueClip } = settings;
  const ratio = criticLearningRate === null ? null : criticLearningRate / learningRate;
  const moved = valuesOf(history, "value/change_to_returns").slice(-window);
  const frozen = moved.length > 0 && moved.every((change) => change < stands);
  const wild = lastMean(valuesOf(history, "value/explained_variance_with_bias"), window);
  const clipped = lastMean(valuesOf(history, "value/clip_fraction"), window);
  const falls =
    lastMean(valuesOf(history, "value/loss"), 5) <
    0.9 * lastMean(valuesOf(history, "value/loss").slice(0, -window + 5), 5);
  return diagnoses("critic_lags", `explained variance ${short(explained)} over the newest ${window} iterations`, [
    {
      id: "critic_rate_low",
      evidence: frozen
        ? `its predictions move by ${short(mean(moved))} of the returns' spread in an update: it does not learn`
        : ratio !== null && ratio < 1.5
          ? `it is ${short(ratio)} times the policy's; published are 1.5 to 2`
          : null,
      settings: ratio === null ? "it shares the policy's" : null,
      remedy:
        ratio === null
          ? "ppo.criticKind=separate, or a larger ppo.valueCoef"
          : `ppo.criticLearningRate=${short(2 * Math.max(learningRate, criticLearningRate!))}`,
    },
    {
      id: "critic_rate_high",
      evidence: wild < wildly ? `with its bias it explains ${short(wild)}: worse than no critic` : null,
      settings: null,
      remedy: `ppo.criticLearningRate=${short(2 * learningRate)}`,
    },
    {
      id: "value_passes_few",
      evidence: null,
      settings: falls ? "its loss still falls: it learns, too slowly" : null,
      remedy: "more ppo.epochs, or value updates x2 while it lags (docs/control.md)",
    },
    {
      id: "value_clip_tight",
      evidence: clipped > 0.3 ? `it binds for ${short(100 * clipped)}% of tokens` : null,
      settings: null,
      remedy: `ppo.valueClip=${valueClip === null ? "null" : short(2 * valueClip)}, or null`,
    },
  ]);
};

/** Detects that the value loss changes by more than half of its mean between neighbouring iterations, over the newest 20. */
export const criticOverfits: Detector = ({ history, settings }) => {
  const losses = valuesOf(history, "value/loss").slice(-window);
  if (losses.length < window) return [];
  const size = swing(losses) / mean(losses);
  if (!(size > lossSwing)) return [];
  const { learningRate, criticLearningRate, epochs, valueClip } = settings;
  const ratio = criticLearningRate === null ? null : criticLearningRate / learningRate;
  return diagnoses("critic_overfits", `the value loss swings by ${short(100 * size)}% from one iteration to the next`, [
    {
      id: "critic_rate_high",
      evidence: ratio !== null && ratio > 2 ? `it is ${short(ratio)} times the policy's; published are 1.5 to 2` : null,
      settings: null,
      remedy: `ppo.criticLearningRate=${short(1.5 * learningRate)}`,
    },
    {
      id: "epochs_many",
      evidence: epochs > 4 ? `${epochs} epochs; published are 1 to 4` : null,
      settings: epochs > 2 ? `ppo.epochs ${epochs}` : null,
      remedy: "ppo.epochs=2",
    },
    {
      id: "value_clip_loose",
      evidence: valueClip === null ? "ppo.valueClip is null" : null,
      settings: valueClip !== null && valueClip > 0.2 ? `ppo.valueClip ${valueClip}` : null,
      remedy: "ppo.valueClip=0.2",
    },
  ]);
};
