/** GET /api/runs/:run/behaviour: the monitoring set across iterations, its gold checks with intervals, and answers side by side. */
import { Hono, type Context as Request } from "hono";
import { evaluationOf } from "../../inspect/run-files.ts";
import { meanInterval95, shareInterval95 } from "../../rl/interval.ts";
import { mean } from "../../rl/statistics.ts";
import { goldOf } from "../../signals/gold-signals.ts";
import type { AnswerRow, RunRow } from "../../store/index.ts";
import type { Estimate } from "../../types/evaluation.ts";
import type { AnswersAnswer, BehaviourAnswer, BehaviourPoint, PageSaid } from "../../types/page.ts";
import { beginning, longestText } from "../../util/cut.ts";
import { groupedBy } from "../../util/group.ts";
import { attemptKey, placeOf, runOf } from "../place.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** Most points: each is read and judged answer by answer. */
const mostPoints = 500;

export function behaviourRoutes(context: Context): Hono {
  const { store } = context;
  const known = new Map<string, { readonly at: string; readonly points: Map<string, BehaviourPoint> }>();
  const pointOf = (run: RunRow, iteration: number, before: number | undefined): BehaviourPoint => {
    const at = attemptKey(run);
    let kept = known.get(run.id);
    if (kept?.at !== at) {
      kept = { at, points: new Map() };
      known.set(run.id, kept);
    }
    const name = `${before} ${iteration}`;
    const point = kept.points.get(name) ?? readPoint(context, { run, iteration, before });
    kept.points.set(name, point);
    return point;
  };
  return new Hono()
    .get("/runs/:run/behaviour", (c) => {
      const run = runOf(context, c.req.param("run"));
      const answer = store.snapshot((): BehaviourAnswer => {
        const all = store.answerIterations(run.id);
        const points = spread(all).map((i) => pointOf(run, all[i]!, all[i - 1]));
        const checks = [...new Set(points.flatMap((point) => Object.keys(point.checks)))];
        const evaluation = evaluationOf(placeOf(context, run.id));
        return { points, of: all.length, checks, evaluation };
      });
      return reply(c, answer);
    })
    .get("/runs/:run/behaviour/answers", (c) => {
      const { id } = runOf(context, c.req.param("run"));
      const [a, b] = [sideOf(c), wholeNumber(c, { name: "b", otherwise: 0 })];
      const [left, right] = store.snapshot(() => [store.answers(id, a), store.answers(id, b)]);
      return reply(c, { a, b, rows: pairs(left!, right!) } satisfies AnswersAnswer);
    });
}

/** Evenly spread indices of a list, including its ends; for a longer list they are a subset of all its indices. */
function spread({ length }: readonly unknown[]): number[] {
  let step = 1;
  while (length > mostPoints * step) step *= 2;
  return Array.from({ length }, (_, i) => i).filter((i) => i % step === 0 || i === length - 1);
}

function sideOf(c: Request): number | "reference" {
  const side = c.req.query("a") ?? "reference";
  return side === "reference" ? side : wholeNumber(c, { name: "a", otherwise: 0 });
}

interface PointOptions {
  readonly run: RunRow;
  readonly iteration: number;
  /** The previous point, if there is one. */
  readonly before: number | undefined;
}

function readPoint({ store }: Context, { run: { id }, iteration, before }: PointOptions): BehaviourPoint {
  const answers = store.answers(id, iteration);
  const earlier = before === undefined ? null : store.answers(id, before);
  const names = [...new Set(answers.flatMap(({ verdicts }) => Object.keys(verdicts)))];
  const checks = names.map((name) => {
    const judged = answers.filter(({ verdicts }) => name in verdicts);
    return [name, estimate(judged, ({ verdicts }) => Number(verdicts[name]))] as const;
  });
  const judged = answers.filter(({ verdicts }) => goldOf(verdicts) !== null);
  const scores = answers.flatMap(({ score }) => (score === null ? [] : [score]));
  const [rollout] = store.series(id, "ppo", "kl/ref_k3_token", { from: iteration, to: iteration + 1 }).points;
  return {
    iteration,
    checks: Object.fromEntries(checks),
    gold: judged.length === 0 ? null : estimate(judged, ({ verdicts }) => goldOf(verdicts)!),
    score: scores.length === 0 ? null : mean(scores),
    kl: rollout?.last ?? null,
    changed: earlier === null ? null : changedShare(earlier, answers),
    consistency: consistency(answers),
  };
}

/** A share, or the mean of values between 0 and 1, with its interval. */
function estimate(answers: readonly AnswerRow[], value: (answer: AnswerRow) => number): Estimate {
  const values = answers.map(value);
  const prompts = answers.map(({ prompt }) => prompt);
  const whole = values.every((value) => value === 0 || value === 1);
  const { mean, low, high } = whole ? shareInterval95(values, prompts) : meanInterval95(values, prompts);
  return { mean, low, high, n: values.length, distinctPrompts: new Set(prompts).size };
}

/** The share of changed answers, among the prompts that both have. */
function changedShare(before: readonly AnswerRow[], after: readonly AnswerRow[]): number | null {
  const texts = new Map(before.map(({ index, response }) => [index, response]));
  const both = after.filter(({ index }) => texts.has(index));
  return both.length === 0 ? null : mean(both.map(({ index, response }) => Number(texts.get(index) !== response)));
}

/** For each prompt with at least two answers the share of pairs that agree, averaged over those prompts. */
function consistency(answers: readonly AnswerRow[]): number | null {
  const shares = [...groupedBy(answers, ({ prompt }) => prompt).values()]
    .filter(({ length }) => length > 1)
    .map((group) => {
      const sizes = [...groupedBy(group, ({ response }) => response).values()].map(({ length }) => length);
      const pairsOf = (n: number) => (n * (n - 1)) / 2;
      return sizes.reduce((sum, n) => sum + pairsOf(n), 0) / pairsOf(group.length);
    });
  return shares.length === 0 ? null : mean(shares);
}

function pairs(a: readonly AnswerRow[], b: readonly AnswerRow[]): AnswersAnswer["rows"] {
  const left = new Map(a.map((answer) => [answer.index, answer]));
  const right = new Map(b.map((answer) => [answer.index, answer]));
  return [...new Set([...left.keys(), ...right.keys()])]
    .sort((x, y) => x - y)
    .map((index) => {
      const one = (left.get(index) ?? right.get(index))!;
      const prompt = beginning(one.prompt, longestText);
      return { index, kind: one.kind, prompt, a: said(left.get(index)), b: said(right.get(index)) };
    });
}

function said(answer: AnswerRow | undefined): PageSaid | null {
  if (answer === undefined) return null;
  const { response, score, verdicts } = answer;
  return { response: beginning(response, longestText), score, verdicts };
}
