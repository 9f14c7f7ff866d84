/** Occasional measurements beside the update: similarity of policies, the reward's accuracy, gold, robustness. */
import type { ModelId, Sequence } from "../engine/engine.ts";
import * as rl from "../rl/index.ts";
import {
  checkErrors,
  checkFall,
  checkFallErrors,
  checkSignals,
  errorOfMean,
  similaritySignals,
} from "../signals/index.ts";
import type { AnsweringModel, AnswerRecord, MetricValues } from "../types/records.ts";
import { random } from "../util/random.ts";
import { goldVerdicts, type Probed, probeRollout, probesOf, scoreRows, scoresOf } from "./probes-ask.ts";
import { robustness } from "./probes-robustness.ts";
import { promptText } from "./rollout.ts";

/** The measurements that are due after an iteration's update. They draw from their own random streams: the run itself is not affected. */
export async function measure(run: Probed, iteration: number): Promise<MetricValues> {
  const { context, inputs, stopwatch } = run;
  const { probes, monitor, robustness: robust } = context.config.control;
  const due = (every: number) => every > 0 && iteration % every === 0;
  const values: Record<string, number> = {};
  if (due(probes.every)) {
    Object.assign(values, await similarity(run, iteration), await probeAccuracy(run), await ratingCorrelation(run));
    stopwatch.lap("probes");
  }
  if (due(monitor.every) && inputs.measuring.monitor.length > 0) {
    Object.assign(values, await monitoring(run, iteration));
    stopwatch.lap("monitor");
  }
  if (due(robust.every)) {
    Object.assign(values, await robustness(run));
    stopwatch.lap("robustness");
  }
  return values;
}

/** Similarity at temperature 1, whatever the rollout's: a changed setting is not a changed policy. */
async function similarity(run: Probed, iteration: number): Promise<MetricValues> {
  const { context, models, loop, state, tell } = run;
  tell("probes");
  const prompts = probesOf(run, context.config.control.probes.prompts);
  const seed = random(context.config.seed, "probes").uint32();
  const { microBatch } = loop.settings;
  const { capabilities } = await context.engine.info();
  const outputs: ("logprobs" | "top1")[] = capabilities.top1 ? ["logprobs", "top1"] : ["logprobs"];
  const passOver = (sequences: readonly Sequence[]) =>
    context.engine.forward(models.policy.id, { sequences, outputs }, { microBatch });
  const { sequences } = await probeRollout(run, { prompts, temperature: 1, seed });
  const { responses_B_T: greedy } = await probeRollout(run, { prompts, temperature: 0, seed });
  const before = state.probe;
  const now = before && (await passOver(before.sequences));
  state.probe = { iteration, sequences, greedy, ...(await passOver(sequences)) };
  if (before === null || now === null) return {};
  return {
    ...similaritySignals({ before, now, greedyBefore: before.greedy, greedyNow: greedy }),
    "similarity/iterations": iteration - before.iteration,
  };
}

async function probeAccuracy(run: Probed): Promise<MetricValues> {
  const accuracy = await pairAccuracy(run);
  return accuracy === null ? {} : { "reward_model/probe_accuracy": accuracy };
}

/** Share of the held-out pairs whose chosen response has the higher score; ties are wrong. null without pairs, or if the reward cannot judge them. */
export async function pairAccuracy(run: Pick<Probed, "inputs" | "reward" | "loop">): Promise<number | null> {
  const { pairs } = run.inputs.measuring;
  if (pairs.length === 0) return null;
  const scores = await scoreRows(run, "probes", [
    ...pairs.map(({ chosen }) => chosen),
    ...pairs.map(({ rejected }) => rejected),
  ]);
  return scores && rl.mean(pairs.map((_, i) => Number(scores[i]! > scores[pairs.length + i]!)));
}

/** Whether the reward still agrees with human ratings. */
async function ratingCorrelation(run: Probed): Promise<MetricValues> {
  const { ratings } = run.inputs.measuring;
  if (ratings.length === 0) return {};
  const rows = ratings.map(({ scored }) => scored);
  const scores = await scoreRows(run, "ratings", rows);
  if (scores === null) return {};
  const given = ratings.map(({ rating }) => rating);
  return { "reward/rating_correlation": rl.correlation(scores, given) };
}

/**
 * Samples of the policy on the same prompts and streams each time, so that two measurements differ only by the policy. All its answers are recorded,
 * and at the first iteration the reference's too.
 */
async function monitoring(run: Probed, iteration: number): Promise<MetricValues> {
  const { models, state, tell } = run;
  if (iteration === 0) {
    tell("monitoring the reference");
    await answered(run, { iteration, model: "reference", id: models.reference });
  }
  tell("monitoring");
  const { scores, verdicts } = await answered(run, { iteration, model: "policy", id: models.policy.id });
  const checks = checkSignals("monitor", verdicts);
  const shares = Object.values(checks);
  // A checkpoint of an older version has none.
  state.firstChecks ??= checks;
  return {
    ...checks,
    ...(shares.length > 0 && {
      "monitor/gold": rl.mean(shares),
      "monitor/gold_se": errorOfMean(Object.values(checkErrors(checks, verdicts))),
      "monitor/check_fall": checkFall(state.firstChecks, checks),
      "monitor/check_fall_errors": checkFallErrors({ first: state.firstChecks, now: checks }, verdicts),
    }),
    ...(scores && { "monitor/score": rl.mean(scores) }),
  };
}

/** Records a model's answers to the monitoring set, and measures them with the reward and the gold check. */
async function answered(
  run: Probed,
  { iteration, model, id }: { readonly iteration: number; readonly model: AnsweringModel; readonly id: ModelId },
) {
  const { context, inputs, loop } = run;
  const { monitor } = inputs.measuring;
  const { samples } = context.config.control.monitor;
  const prompts = Array.from({ length: samples }, (_, k) => monitor[k % monitor.length]!);
  const seed = random(context.config.seed, "monitor").uint32();
  const { temperature } = loop.settings;
  const rollout = await probeRollout(run, { prompts, temperature, seed, model: id });
  const scores = await scoresOf(run, "monitor", rollout);
  const verdicts = await goldVerdicts(run, rollout);
  const answers = prompts.map(
    ({ row }, index): AnswerRecord => ({
      index,
      kind: row.kind ?? null,
      prompt: promptText(row),
      response: rollout.texts[index]!,
      score: scores?.[index] ?? null,
      stopReason: rollout.stopReasons[index]!,
      verdicts: verdicts[index]!,
    }),
  );
  context.recorder.answers("ppo", iteration, model, answers);
  return { scores, verdicts };
}
