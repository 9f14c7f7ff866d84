/** GET /api/runs/:run/samples: what the policy wrote, and what was made of each token. */
import { Hono } from "hono";
import { createSafetyFilter, type SafetyFilter } from "../../reward/safety.ts";
import type { RunRow, SampleRow } from "../../store/index.ts";
import type { PageSample, SampleIterationsAnswer, SamplesAnswer } from "../../types/page.ts";
import { beginning, longestText } from "../../util/cut.ts";
import type { Context } from "../context.ts";
import { recordedConfigOf, runOf } from "../place.ts";
import { stageOf, wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";

/** Tokens of a response, and characters of a token. */
const mostTokens = 2_000;
const longestToken = 100;

export function sampleRoutes(context: Context): Hono {
  const { store } = context;
  const filters = new Map<string, SafetyFilter>();
  const filterOf = (run: RunRow) => {
    const known = filters.get(run.id) ?? safetyFilter(run);
    filters.set(run.id, known);
    return known;
  };
  return new Hono()
    .get("/runs/:run/samples/iterations", (c) => {
      const { id } = runOf(context, c.req.param("run"));
      return reply(c, { iterations: store.sampleIterations(id, stageOf(c)) } satisfies SampleIterationsAnswer);
    })
    .get("/runs/:run/samples", (c) => {
      const run = runOf(context, c.req.param("run"));
      const stage = stageOf(c);
      const iteration = wholeNumber(c, { name: "iteration", otherwise: null });
      const newest = iteration ?? store.sampleIterations(run.id, stage).at(-1) ?? 0;
      const samples = store.samples(run.id, stage, newest).map((sample) => pageSample(sample, filterOf(run)));
      return reply(c, { samples, more: false } satisfies SamplesAnswer);
    });
}

/** A configuration that another version wrote may be none. */
function safetyFilter(run: RunRow): SafetyFilter {
  try {
    return createSafetyFilter(recordedConfigOf(run).ppo?.safety ?? {});
  } catch {
    return createSafetyFilter();
  }
}

function pageSample(sample: SampleRow, filter: SafetyFilter): PageSample {
  const { seq, attempt, iteration, index, reason, score, components, kl, stopReason } = sample;
  const prompt = beginning(sample.prompt, longestText);
  const response = beginning(sample.response, longestText);
  const tokens = sample.tokens.slice(0, mostTokens).map((token) => beginning(token, longestToken));
  const whole =
    prompt === sample.prompt &&
    response === sample.response &&
    tokens.length === sample.tokens.length &&
    tokens.every((token, i) => token === sample.tokens[i]);
  const numbers = (values: readonly number[]) => values.slice(0, mostTokens).map(short);
  return {
    seq,
    attempt,
    iteration,
    index,
    reason,
    prompt,
    response,
    score,
    components,
    kl,
    stopReason,
    unsafe: Object.values(filter.trips(response)).some(Boolean),
    tokens,
    logprobs: numbers(sample.logprobs),
    refLogprobs: numbers(sample.refLogprobs),
    values: numbers(sample.values),
    advantages: numbers(sample.advantages),
    cut: whole ? null : sample.prompt.length + sample.response.length,
  };
}

/** What float32 holds. */
function short(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(7)) : value;
}
