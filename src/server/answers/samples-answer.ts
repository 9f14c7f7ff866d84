/** GET /api/runs/:run/samples: what the policy wrote, and how each token was judged. */
import { Hono, type Context as Request } from "hono";
import { createSafetyFilter, type SafetyFilter } from "../../reward/safety.ts";
import type { RunRow, SampleRow, Store } from "../../store/index.ts";
import type { PageSample, SampleIterationsAnswer, SamplesAnswer } from "../../types/page.ts";
import { beginning, longestText } from "../../util/cut.ts";
import { recordedConfigOf, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { stageOf, wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** Default number of samples in a search's answer. */
const usual = 50;
const most = 200;

/** Most tokens of a response, and most characters of a token. */
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
      const filter = filterOf(run);
      const query = searchOf(c);
      if (query === null) {
        const iteration = wholeNumber(c, { name: "iteration", otherwise: null });
        const newest = iteration ?? store.sampleIterations(run.id, stage).at(-1) ?? 0;
        const samples = store.samples(run.id, stage, newest).map((sample) => pageSample(sample, filter));
        return reply(c, { samples, more: false } satisfies SamplesAnswer);
      }
      const { filter: kind, ...search } = query;
      const { samples, more } = store.findSamples(run.id, {
        ...search,
        stage,
        ...(kind === "truncated" && { truncated: true }),
        ...((kind === "lowest" || kind === "highest") && { order: kind }),
        ...(kind === "unsafe" && { matches: ({ response }) => isUnsafe(filter, response) }),
        ...(kind === "pinned" && { among: pinned(store, run.id) }),
      });
      return reply(c, { samples: samples.map((one) => pageSample(one, filter)), more } satisfies SamplesAnswer);
    });
}

const kinds = ["unsafe", "truncated", "lowest", "highest", "pinned"] as const;

/** The search in a request; null if it requests an iteration. */
function searchOf(c: Request) {
  const text = c.req.query("q") || undefined;
  const kind = c.req.query("filter") || undefined;
  const promptOf = wholeNumber(c, { name: "prompt", otherwise: undefined });
  if (text === undefined && kind === undefined && promptOf === undefined) return null;
  const filter = kinds.find((one) => one === kind);
  if (kind !== undefined && filter === undefined)
    throw new Refusal(400, `filter=${kind.slice(0, 40)}: expected one of ${kinds.join(", ")}`);
  const limit = wholeNumber(c, { name: "limit", otherwise: usual, min: 1, max: most });
  return { filter, limit, ...(text !== undefined && { text }), ...(promptOf !== undefined && { promptOf }) };
}

function pinned(store: Store, run: string): number[] {
  return store.marks(run).flatMap(({ kind, value }) => (kind === "pin" ? [Number(value)] : []));
}

function isUnsafe(filter: SafetyFilter, text: string): boolean {
  return Object.values(filter.trips(text)).some(Boolean);
}

/** The run's safety filter; a configuration from a different version may not have a valid one. */
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
    unsafe: isUnsafe(filter, response),
    tokens,
    logprobs: numbers(sample.logprobs),
    refLogprobs: numbers(sample.refLogprobs),
    values: numbers(sample.values),
    advantages: numbers(sample.advantages),
    cut: whole ? null : sample.prompt.length + sample.response.length,
  };
}

/** The value rounded to float32. */
function short(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(7)) : value;
}
