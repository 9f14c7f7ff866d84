/** One PPO run of an experiment: from its beginning or forked from another one's middle, then scored. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkpointName, checkpointSteps } from "../config/checkpoint-names.ts";
import type { Config } from "../config/index.ts";
import type { GoldPoint } from "../control/health/index.ts";
import type { Rule } from "../control/rules/rule.ts";
import type { RunPlace } from "../inspect/places.ts";
import { forkRun } from "../run/fork-run.ts";
import { newRun } from "../run/new-run.ts";
import { openRun, type RunFacts } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import { openRunEngine } from "../run/run-engine.ts";
import { databaseOf, openStore, type Store } from "../store/index.ts";
import type { Alert, Intervention } from "../types/alerts.ts";
import { writeDurably } from "../util/durable.ts";
import { StoppedByController } from "../util/errors.ts";
import { clearRun } from "./clear-run.ts";
import { type Gold, measureGold } from "./gold.ts";
import { listenerOf } from "./listener.ts";
import { type StageModel, startingFrom } from "./stage-work.ts";
import type { Tools } from "./work-tools.ts";

export interface TrialInput {
  /** The run's configuration, with PPO. */
  readonly config: Config;
  /** The cells that trained the models it starts from; null for those that the configuration names itself, or does not have. */
  readonly start: { readonly policy: string | null; readonly reward: string | null };
  /** The trial from whose middle this one continues; null begins at the start. */
  readonly fork: { readonly trial: string; readonly at: number } | null;
  /** The run's rules; null: those that its configuration gives. */
  readonly rules: readonly Rule[] | null;
  /** Hashes of the files that it reads, and of those that it is judged by (`hashInputs`). */
  readonly files: readonly string[];
  /** Whose gold check and evaluation prompts judge the run, in samples: at its end, and at each of its checkpoints (0: only at its end). */
  readonly gold: { readonly config: Config; readonly samples: number; readonly curve: number };
}

export interface Trial {
  readonly run: string;
  readonly iterations: number;
  /** Alerts of tiers 1 and 2, in order. */
  readonly alerts: readonly Pick<Alert, "rule" | "tier" | "iteration" | "signal">[];
  readonly acted: readonly Pick<Intervention, "rule" | "tier" | "action" | "from" | "until">[];
  /** Where the controller stopped the run; null if it ran to its end. */
  readonly stopped: { readonly rule: string; readonly iteration: number } | null;
  /** Iterations done by the scored model: those of the checkpoint to which an operator would go back if the run was stopped (`returnTo`). */
  readonly scoredAt: number;
  readonly gold: Gold;
  /** The laboratory's gold scores of the checkpoints, by iterations done. */
  readonly curve: readonly GoldPoint[];
  /** `health/total` and `monitor/gold`, if they were recorded. */
  readonly health: readonly GoldPoint[];
  readonly goldCurve: readonly GoldPoint[];
}

/** Trains and scores the run. Throws Interrupted. */
export async function runTrial(input: TrialInput, tools: Tools): Promise<Trial> {
  const { folder: workspace, name, results } = tools;
  const { start, gold } = input;
  const earlier = { id: `${name}-1`, folder: join(workspace, `${name}-1`), workspace };
  if (existsSync(earlier.folder)) clearRun(earlier);
  const modelOf = (cell: string | null) => (cell === null ? null : (results[cell] as StageModel).model);
  const from = (config: Config) =>
    startingFrom(config, { policy: modelOf(start.policy), rewardModel: modelOf(start.reward) });
  // The laboratory evaluates by itself; the run's own evaluation is as small as can be.
  const own = from(input.config);
  const config = { ...own, workspace, evaluation: { ...own.evaluation, samples: 1 } };
  const facts = await factsOf({ ...input, config }, tools);
  const ended = await train(facts, tools);
  const models = [...ended.curve, ended.scored].map(({ folder }, i, { length }) => ({
    folder,
    samples: i === length - 1 ? gold.samples : gold.curve,
  }));
  const golds = await goldsOf(tools, from(gold.config), gold.curve === 0 ? models.slice(-1) : models);
  const store = openStore(databaseOf(workspace), { readonly: true });
  try {
    const { id } = facts.place;
    const all = { limit: Number.MAX_SAFE_INTEGER, current: true };
    const events = store.events(id, all).rows;
    return {
      run: id,
      iterations: config.ppo!.iterations,
      alerts: events
        .flatMap(({ kind, data }) => (kind === "alert" ? [data!.alert as Alert] : []))
        .filter(({ tier }) => tier < 3)
        .map(({ rule, tier, iteration, signal }) => ({ rule, tier, iteration, signal })),
      acted: events
        .flatMap(({ kind, data }) => (kind === "intervention" ? [data!.intervention as Intervention] : []))
        .map(({ rule, tier, action, from: since, until }) => ({ rule, tier, action, from: since, until })),
      stopped: ended.stopped,
      scoredAt: ended.scored.step,
      gold: golds.at(-1)!,
      curve: golds.slice(0, -1).map(({ mean }, i) => ({ iteration: ended.curve[i]!.step, value: mean })),
      health: curveOf(store, id, "health/total"),
      goldCurve: curveOf(store, id, "monitor/gold"),
    };
  } finally {
    store.close();
  }
}

async function factsOf({ config, fork, rules }: TrialInput, { folder, name, results }: Tools): Promise<RunFacts> {
  if (fork === null) {
    const facts = newRun({ config, name });
    if (rules !== null) writeDurably(join(facts.place.folder, "rules.json"), `${JSON.stringify(rules, null, 2)}\n`);
    return facts;
  }
  const { run } = results[fork.trial] as Trial;
  const from: RunPlace = { id: run, folder: join(folder, run), workspace: folder };
  return forkRun({ from, at: fork.at, config, name, ...(rules !== null && { rules }) });
}

interface Scored {
  readonly folder: string;
  readonly step: number;
}

/** Trains the run to its end, or to where the controller stops it; an operator would then go back to a checkpoint before that. */
async function train(
  facts: RunFacts,
  tools: Tools,
): Promise<{ stopped: Trial["stopped"]; scored: Scored; curve: readonly Scored[] }> {
  const { folder } = facts.place;
  const ppo = join(folder, "ppo");
  const at = (step: number): Scored => ({ step, folder: join(ppo, checkpointName(step), "policy") });
  try {
    await openRun({ ...facts, allowChangedData: true, ...listenerOf(tools) }).train(runPipeline);
    const { iterations } = facts.config.ppo!;
    const curve = checkpointSteps(ppo).map(at);
    return { stopped: null, scored: { step: iterations, folder: join(ppo, "final") }, curve };
  } catch (error) {
    if (!(error instanceof StoppedByController)) throw error;
    const store = openStore(databaseOf(facts.place.workspace), { readonly: true });
    try {
      const incident = store.incidents({ run: facts.place.id }).at(-1);
      const steps = checkpointSteps(ppo);
      const curve = steps.map(at);
      // A rule that ends the run asks nobody.
      if (incident === undefined) {
        const events = store.events(facts.place.id, { kind: "intervention", limit: 100_000 }).rows;
        const last = events.at(-1);
        if (last === undefined || steps.length === 0) throw error;
        const { rule } = last.data!.intervention as Intervention;
        return { stopped: { rule, iteration: last.iteration }, scored: at(steps.at(-1)!), curve };
      }
      const { before, lastHealthy } = incident.evidence.checkpoints;
      const stepOf = (path: string) => Number(/checkpoint-(\d+)$/.exec(path)![1]);
      const { id } = facts.place;
      const measured = curveOf(store, id, "monitor/gold");
      const errors = curveOf(store, id, "monitor/gold_se");
      const step = returnTo({ before: stepOf(before!), healthy: stepOf(lastHealthy ?? before!), measured, errors });
      const { rule, iteration } = incident;
      return { stopped: { rule, iteration }, scored: at(step), curve };
    } finally {
      store.close();
    }
  }
}

/**
 * The checkpoint to which an operator would go back, of the two that an incident names: the last healthy one, unless the run's own gold check, as the
 * operator sees it, rose from there to the one before the incident by more than the standard error of the difference.
 */
export function returnTo({
  before,
  healthy,
  measured,
  errors,
}: {
  readonly before: number;
  readonly healthy: number;
  /** `monitor/gold` and its standard errors, by iteration: that of iteration i judges the model after its update. The start is taken to be like the first. */
  readonly measured: readonly GoldPoint[];
  readonly errors: readonly GoldPoint[];
}): number {
  const newest = (points: readonly GoldPoint[], step: number) =>
    (points.filter(({ iteration }) => iteration < step).at(-1) ?? points[0])?.value;
  const [goldThen, goldNow] = [newest(measured, healthy), newest(measured, before)];
  const [errorThen, errorNow] = [newest(errors, healthy), newest(errors, before)];
  if (goldThen === undefined || goldNow === undefined || errorThen === undefined || errorNow === undefined)
    return healthy;
  return goldNow - goldThen > Math.hypot(errorThen, errorNow) ? before : healthy;
}

async function goldsOf(
  { onNote }: Tools,
  config: Config,
  models: readonly { readonly folder: string; readonly samples: number }[],
): Promise<Gold[]> {
  const { engine } = await openRunEngine({ config, before: null, onNote });
  try {
    return await measureGold({ config, engine, models });
  } finally {
    await engine.close();
  }
}

function curveOf(store: Store, run: string, key: string): GoldPoint[] {
  const { points } = store.series(run, "ppo", key, { maxPoints: Number.POSITIVE_INFINITY });
  return points.map(({ from, last }) => ({ iteration: from, value: last }));
}
