/** Detectors on the update's surroundings: the gold check, the prompts, the evaluation, the machine. */
import { type Detector, diagnoses } from "./cause.ts";
import { scoreUnit, short, valuesOf } from "./diagnosis-history.ts";

/** A jump of gold between two measurements, as a share. */
const goldJump = 0.5;
const goldJumpAlone = 0.25;
/** A score that moves less than this, in units of the reference's score, stands still. */
const still = 0.25;
const fewPrompts = 0.25;
const memoryFull = 0.9;
const memoryWords =
  /out of memory|\boom\b|bad_alloc|cannot allocate|failed to allocate|allocation fail|heap (?:limit|out)|ENOMEM/i;

/** Detects that gold rises by 0.5 from one measurement to the next, or by 0.25 while the score moves by less than 0.25 units. */
export const goldJumps: Detector = ({ history }) => {
  const gold = (history["monitor/gold"] ?? []).filter(({ value }) => Number.isFinite(value));
  const unit = scoreUnit(history);
  const scoreAt = (iteration: number) =>
    valuesOf(history, "reward/score_mean", { from: iteration - 1, to: iteration + 1 }).at(-1) ?? Number.NaN;
  for (let i = 1; i < gold.length; i++) {
    const [before, after] = [gold[i - 1]!, gold[i]!];
    const jump = after.value - before.value;
    const moved = (scoreAt(after.iteration) - scoreAt(before.iteration)) / unit;
    const alone = jump > goldJumpAlone && Math.abs(moved) < still;
    if (jump < goldJump && !alone) continue;
    return diagnoses(
      "gold_jumps",
      `from ${short(before.value)} to ${short(after.value)} at iteration ${after.iteration}`,
      [
        {
          id: "reward_leak",
          evidence: alone ? `the score moved by only ${short(moved)} of the reference's spread` : null,
          settings: "policies learn gradually",
          remedy:
            "read samples from before and after; look for answers in the prompts and for evaluation prompts that are trained on",
        },
      ],
    );
  }
  return [];
};

/** Detects an error that mentions memory, or that the process died or ended with over 90% of the machine's memory in use. */
export const outOfMemory: Detector = ({ history, settings, messages, lost, memoryMb }) => {
  const message = messages.findLast((text) => memoryWords.test(text));
  const resident = valuesOf(history, "machine/resident_mb").at(-1) ?? Number.NaN;
  const full = memoryMb !== null && resident > memoryFull * memoryMb;
  if (message === undefined && !(lost && full)) return [];
  const seen = message ?? `the process died with ${short(resident)} MiB of the machine's ${short(memoryMb!)} taken`;
  const { microBatch, maxNewTokens, sequences, minibatches } = settings;
  const step = sequences / minibatches;
  const half = Math.max(1, Math.floor((microBatch || step) / 2));
  return diagnoses("out_of_memory", seen, [
    {
      id: "memory_micro_batch",
      evidence: null,
      settings: microBatch === 0 ? "ppo.microBatch is chosen by the stage" : `ppo.microBatch ${microBatch}`,
      remedy: `ppo.microBatch=${half}: the step stays exactly the same`,
    },
    {
      id: "memory_length",
      evidence: maxNewTokens > 2048 ? `responses of up to ${maxNewTokens} tokens` : null,
      settings: null,
      remedy: "2,048 tokens, prompt and response together",
    },
    { id: "memory_precision", evidence: null, remedy: "an engine with 16-bit numbers, which halves activations" },
    {
      id: "memory_activations",
      evidence: null,
      remedy: "recomputation in the backward pass, if the engine offers it",
    },
  ]);
};

/** Detects that under a quarter of an iteration's prompts are distinct, from the start or since some iteration. */
export const promptsNarrow: Detector = ({ history, settings }) => {
  const points = (history["response/distinct_prompts_share"] ?? []).filter(({ value }) => Number.isFinite(value));
  const share = (value: number) => value * settings.responsesPerPrompt;
  const newest = points.at(-1);
  if (newest === undefined || share(newest.value) >= fewPrompts) return [];
  const first = share(points[0]!.value);
  const seen = `${short(100 * share(newest.value))}% of an iteration's prompts are distinct`;
  if (share(newest.value) < fewPrompts * first)
    return diagnoses("prompts_narrow", seen, [
      {
        id: "prompts_narrowed",
        evidence: `it was ${short(100 * first)}% at the start: the data path changed`,
        remedy: "look at what draws the prompts; go back to before it",
        since: points.find(({ value }) => share(value) < fewPrompts * first)!.iteration,
      },
    ]);
  const distinct = Math.round(newest.value * settings.sequences);
  return diagnoses("prompts_narrow", seen, [
    {
      id: "prompts_few",
      evidence: `about ${distinct} distinct prompts come several times in every iteration`,
      remedy: "more prompts, of more kinds",
      since: 0,
    },
  ]);
};

/** Detects an evaluation or a monitoring set that asks what is trained on, by the texts that the run compared at its start (docs/doctor.md, overlap). */
export const evaluationIsTraining: Detector = ({ done, findings }) => {
  if (done === 0) return [];
  const remedy =
    "evaluation.prompts.path, and control.monitor.prompts.path, with prompts that are kept out of training";
  const overlap = findings.find(({ id }) => id === "evaluation/exact_overlap" || id === "evaluation/is_training");
  const near = findings.find(({ id }) => id === "evaluation/near_overlap");
  // "53 of 248 evaluation prompts": a few in common are worth knowing, and no explanation.
  const [common = 1, all = 1] =
    overlap?.what
      .match(/^[\d,]+ of [\d,]+/)?.[0]
      .replaceAll(",", "")
      .split(" of ")
      .map(Number) ?? [];
  const most = common >= all / 2;
  if (overlap !== undefined)
    return diagnoses("evaluation_is_training", overlap.what, [
      { id: "evaluation_is_training", evidence: most ? "what is measured can be learned by heart" : null, remedy },
    ]);
  if (near === undefined) return [];
  return diagnoses("evaluation_is_training", near.what, [
    { id: "evaluation_near_training", evidence: "what is measured can be learned by heart", remedy },
  ]);
};
