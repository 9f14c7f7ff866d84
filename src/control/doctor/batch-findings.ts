/** Findings on the size of a step: sequences per step, rate and clip belong together. */
import { fewestSequences, largeStep as many } from "../bands.ts";
import { cornerSource, nearestCorner } from "./corners.ts";
import { type DoctorFacts, sequencesPerStep } from "./facts.ts";
import { type Finding, inWords, parametersInWords, percent } from "./finding.ts";
import { besideBand, rateBand } from "./scale-findings.ts";

/** Sequences per step, from docs/doctor.md: fewer than 256 is a warning; an error only if no known-good corner of such a model has so few. */
const few = 256;
const swingSource = "PPO.md, defaults: 64 sequences a step swing by more than 10%, 512 stay within 3%";

/** How much a metric swings from draw to draw: 10% at 64 sequences, falling with the root of their number. */
function expectedSwing(sequences: number): number {
  return 0.1 * Math.sqrt(64 / sequences);
}

export function batchFindings(facts: DoctorFacts): Finding[] {
  return [...fewSequences(facts), ...manySequences(facts), ...corner(facts), ...tokenBudget(facts)];
}

function fewSequences({ ppo, model }: DoctorFacts): Finding[] {
  const n = sequencesPerStep(ppo);
  if (n >= few) return [];
  const tiny = fewestSequences(model);
  const { sequences, minibatches, learningRate, clipHigh, klCoef } = ppo;
  const more =
    sequences >= few
      ? `ppo.minibatches=${Math.max(1, Math.floor(sequences / few))} makes it ${inWords(sequences / Math.max(1, Math.floor(sequences / few)))} from the same samples`
      : `ppo.sequences=${few * minibatches}`;
  const dispute =
    `If that is not possible, the sources disagree: one widens the clip (${inWords(clipHigh)} to 0.3), the other halves the rate ` +
    `(${inWords(learningRate)} to ${inWords(learningRate / 2)}) and doubles the KL coefficient (${inWords(klCoef)} to ${inWords(2 * klCoef)}). Try one of them, not both.`;
  return [
    {
      id: n < tiny ? "batch/tiny_step" : "batch/few_sequences",
      severity: n < tiny ? "error" : "warning",
      what: `${n < tiny ? "ONLY " : ""}${inWords(n)} sequences a step (${inWords(sequences)} in ${minibatches} ${minibatches === 1 ? "minibatch" : "minibatches"})`,
      why: `at ${inWords(n)} metrics swing by about ${percent(expectedSwing(n))} from one draw to the next; ${n < tiny ? "most of such a gradient is noise" : "512 stay within 3%"}`,
      remedy: `${more}. ${dispute}`,
      source: `${swingSource}; docs/evidence.md for what it cost small models; docs/doctor.md for the two answers`,
    },
  ];
}

/** Finds steps with many sequences. Without the model's size nothing is reported: which rate is high depends on it. */
function manySequences({ ppo, model }: DoctorFacts): Finding[] {
  const n = sequencesPerStep(ppo);
  if (n <= many || model.parameters === null) return [];
  const { typical } = rateBand({ ...model, parameters: model.parameters });
  const { learningRate, clipHigh } = ppo;
  if (learningRate <= typical || clipHigh < 0.2) return [];
  return [
    {
      id: "batch/many_sequences",
      severity: "warning",
      what: `${inWords(n)} sequences a step with a rate of ${inWords(learningRate)} and a clip of ${inWords(clipHigh)}`,
      why: "a step that large has little noise left to average out: it goes further than a small one at the same rate",
      remedy: `lower the rate (${inWords(typical)} is usual at this size) or the clip (0.1)`,
      source: "docs/doctor.md: more sequences, lower rate or clip; known-good corners end at 512",
    },
  ];
}

function corner({ ppo, model }: DoctorFacts): Finding[] {
  if (model.parameters === null) return [];
  const n = sequencesPerStep(ppo);
  const { lora = false } = model;
  const near = nearestCorner({ parameters: model.parameters, sequencesPerStep: n, lora });
  const said = (sequences: number, rate: number | null, clip: number, epochs: number) =>
    `${inWords(sequences)} a step${rate === null ? "" : `, rate ${inWords(rate)}`}, clip ${inWords(clip)}, ${epochs} ${epochs === 1 ? "epoch" : "epochs"}`;
  // A rate found at a different size, or with all weights in place of an adapter, says nothing about this one if it is outside this size's band.
  const band = rateBand({ ...model, parameters: model.parameters });
  const rateFits = (near.lora ?? false) === lora && besideBand(near.learningRate, band) === null;
  const yours = said(n, ppo.learningRate, ppo.clipHigh, ppo.epochs);
  const comparable = said(n, rateFits ? ppo.learningRate : null, ppo.clipHigh, ppo.epochs);
  const known = said(near.sequencesPerStep, rateFits ? near.learningRate : null, near.clip, near.epochs);
  const size = `${parametersInWords(model.parameters)} parameters`;
  return [
    {
      id: "batch/corner",
      severity: "note",
      what:
        comparable === known
          ? `at ${size}: ${yours}, as in the known-good corner of ${near.name}${rateFits ? "" : ` (${parametersInWords(near.parameters)}) but for the rate`}`
          : `at ${size}: ${yours}; the nearest known-good corner is that of ${near.name} (${parametersInWords(near.parameters)}): ${known}`,
      why: "sequences per step, rate and clip were tuned together; changing only one of them is untried",
      remedy: rateFits
        ? "move towards the corner, or move all three: docs/doctor.md has the table"
        : `${comparable === known ? "" : "move towards the corner, and "}keep the rate within this size's own ${inWords(band.low)} to ${inWords(band.high)}; docs/doctor.md has the table`,
      source: cornerSource(near),
    },
  ];
}

/** Compares the number of sequences with the tokens that a step may hold. */
function tokenBudget({ ppo, model, promptTokens, tokenBudget }: DoctorFacts): Finding[] {
  if (tokenBudget === null) return [];
  if (promptTokens === null)
    return [
      {
        id: "batch/token_budget",
        severity: "note",
        what: `how many sequences ${inWords(tokenBudget)} tokens hold is not known yet`,
        why: "prompts or tokenizer are missing",
        remedy: "run the doctor again once they exist",
        source: "PPO.md, defaults: sequences per step",
      },
    ];
  const response = model.spread?.lengthMean ?? ppo.maxNewTokens;
  const tokens = promptTokens + response;
  const fits = Math.floor(tokenBudget / tokens);
  const n = sequencesPerStep(ppo);
  const measured = model.spread === null ? "at their longest" : "as measured";
  return [
    {
      id: "batch/token_budget",
      severity: n > fits || fits < few ? "warning" : "note",
      what: `${inWords(tokenBudget)} tokens a step hold ${inWords(fits)} sequences of ${inWords(Math.round(tokens))} tokens (prompt ${inWords(Math.round(promptTokens))}, responses ${measured} ${inWords(Math.round(response))}); configured are ${inWords(n)}`,
      why:
        fits < few
          ? `fewer than ${few} sequences a step make metrics swing by ${percent(expectedSwing(Math.max(1, fits)))}`
          : "advice on batch size counts sequences; memory and time count tokens",
      remedy:
        fits < few
          ? `accumulate: ppo.microBatch=${Math.max(1, fits)} holds that many at once, and ${few} sequences a step stay exact`
          : n > fits
            ? `accumulate: ppo.microBatch=${fits} keeps within the budget, and the step stays the same`
            : "nothing to do",
      source: "PPO.md row 12: accumulated sums are exact; defaults, sequences per step",
    },
  ];
}
