/** The detector of what the final evaluation lost: a gold check that is clearly lower after PPO than before. */
import { fallPrefix } from "../../signals/evaluation-falls.ts";
import { type Detector, diagnoses } from "./cause.ts";
import { iterationsDone, percent, type RunHistory, short } from "./diagnosis-history.ts";

/** Detects gold checks whose 95% interval of the paired change lies below 0; only for the evaluation after the newest iteration. */
export const checkFell: Detector = ({ history, settings }) => {
  const end = iterationsDone(history) - 1;
  const at = (key: string) => newestAt(history, key, end);
  const falls = Object.keys(history)
    .filter((key) => key.startsWith(fallPrefix) && at(key) !== null)
    .map((key) => ({ name: key.slice(fallPrefix.length), fall: at(key)! }))
    .sort((a, b) => b.fall - a.fall);
  if (falls.length === 0) return [];
  const figure = (side: string, name: string) => at(`evaluation/${side}/${name}`);
  const seen = falls.map(({ name, fall }) => {
    const [before, after] = [figure("before", name), figure("after", name)];
    const ends = before === null || after === null ? "" : `, from ${percent(before)} to ${percent(after)}`;
    return `${name} fell by ${short(100 * fall)} points${ends}`;
  });
  const [before, after] = [figure("before", "reward"), figure("after", "reward")];
  const rose = before !== null && after !== null && after > before;
  const names = falls.map(({ name }) => name).join(", ");
  return diagnoses("check_fell", `in the evaluation ${seen.join("; ")}`, [
    {
      id: "reward_shortcut",
      evidence: null,
      settings: rose ? `the reward rose by ${short(after - before)} over the same answers` : null,
      remedy: `let the reward judge ${names} as well (pairs or a component of their own), or raise ppo.kl.coef`,
    },
    {
      id: "kl_coef_low",
      evidence: null,
      settings: settings.klCoef < 0.02 ? `ppo.kl.coef is ${short(settings.klCoef)}` : null,
      remedy: "fewer iterations, or a higher ppo.kl.coef; an earlier checkpoint may still have it: the Behaviour view",
    },
  ]);
};

/** The value recorded at this iteration; null if the newest is older, or not finite. */
function newestAt(history: RunHistory, key: string, iteration: number): number | null {
  const point = history[key]?.at(-1);
  return point !== undefined && point.iteration === iteration && Number.isFinite(point.value) ? point.value : null;
}
