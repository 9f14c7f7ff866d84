/** GET /api/runs/:run: the run as a whole, and where the stream continues after it. */
import { Hono } from "hono";
import type { Rule } from "../../control/rules/rule.ts";
import { evaluationOf, rulesOf } from "../../inspect/run-files.ts";
import type { RunRow } from "../../store/index.ts";
import type { Evaluation } from "../../types/evaluation.ts";
import type { RunAnswer, Threshold } from "../../types/page.ts";
import type { Stage } from "../../types/records.ts";
import { placeOf, recordedConfigOf, runOf } from "../place.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";
import { versionOf } from "../version.ts";

/** Iterations over which the pace is measured. */
const paceOver = 20;

export function runRoutes(context: Context): Hono {
  return new Hono().get("/runs/:run", (c) => reply(c, runAnswer(context, c.req.param("run"))));
}

function runAnswer(context: Context, id: string): RunAnswer {
  const { store, summaries } = context;
  return store.snapshot(() => {
    const run = runOf(context, id);
    const place = placeOf(context, id);
    const keys = store.keys(id);
    const stages = stagesOf(context, run);
    return {
      run: summaries.one(run),
      stages,
      pace: paceOf(context, run),
      config: { ...recordedConfigOf(run) },
      machine: machineOf(run),
      folder: place?.folder ?? run.folder,
      argument: id,
      evaluation: withoutTranscripts(evaluationOf(place)),
      attempts: store.attempts(id).map(({ runId: _, ...attempt }) => attempt),
      keys,
      latest: latestOf(context, { run, keys }),
      thresholds: thresholdsOf(rulesOf(place) ?? []),
      version: versionOf(store, id),
      cursor: store.ends(),
    };
  });
}

function withoutTranscripts(evaluation: Evaluation | null): RunAnswer["evaluation"] {
  if (evaluation === null) return null;
  const { transcripts: _, ...rest } = evaluation;
  return rest;
}

function stagesOf({ store, summaries }: Context, run: RunRow): RunAnswer["stages"] {
  return Object.entries(summaries.planned(run)).map(([stage, of]) => {
    const newest = store.newestIteration(run.id, stage as Stage);
    // Measurements at the end are recorded one past the last iteration.
    return { stage: stage as Stage, done: Math.min(of, newest === null ? 0 : newest + 1), of };
  });
}

function paceOf({ store, summaries }: Context, run: RunRow): RunAnswer["pace"] {
  const { id, attempt, position } = run;
  if (position === null) return null;
  const { stage } = position;
  const of = summaries.planned(run)[stage] ?? null;
  const spans = store.recorded(id, { attempt, stage, limit: paceOver + 1 });
  const newest = spans[0];
  // The measurements at the end are not an iteration, and a resumed run's first one has no predecessor.
  const taken = spans.filter(({ iteration }) => of === null || iteration < of);
  const [last, first] = [taken[0], taken.at(-1)];
  if (newest === undefined || last === undefined || first === undefined || last.iteration === first.iteration)
    return null;
  const seconds = (last.at - first.at) / 1000 / (last.iteration - first.iteration);
  const left = of === null ? null : Math.max(0, of - 1 - newest.iteration) * seconds;
  return { seconds, left };
}

function machineOf({ machine }: RunRow): Record<string, unknown> {
  try {
    return JSON.parse(machine) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Newest value of each metric, by stage. */
function latestOf(
  { store }: Pick<Context, "store">,
  { run, keys }: { readonly run: RunRow; readonly keys: readonly { readonly stage: Stage }[] },
): Partial<Record<Stage, Record<string, number>>> {
  const stages = [...new Set(keys.map(({ stage }) => stage))];
  return Object.fromEntries(
    stages.map((stage) => [
      stage,
      Object.fromEntries(store.latest(run.id, stage).map(({ key, value }) => [key, value])),
    ]),
  );
}

/** Thresholds of rules whose first condition is on the plain value in the signal's own unit: hairlines on its chart. */
function thresholdsOf(rules: readonly Rule[]): Threshold[] {
  return rules.flatMap(({ id, tier, conditions: [condition] }) =>
    condition.statistic === "value" && condition.unit === "as_is"
      ? [{ signal: condition.signal, rule: id, tier, above: condition.above, below: condition.below }]
      : [],
  );
}
