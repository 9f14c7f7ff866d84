/** One run of the laboratory, in a folder of its own: a fault or none, a seed, interventions on or off. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { FaultName } from "../config/fault-names.ts";
import { type Config, recordedConfig } from "../config/index.ts";
import type { GoldPoint } from "../control/health/index.ts";
import { loadRules } from "../control/rules/load-rules.ts";
import { createEmbeddedEngine } from "../engine/embedded/index.ts";
import type { Engine } from "../engine/engine.ts";
import { runPipeline } from "../run/pipeline.ts";
import { openStore, type Store } from "../store/index.ts";
import { evaluateRun } from "../trainer/evaluate-run.ts";
import type { Progress } from "../trainer/run-types.ts";
import type { Alert } from "../types/alerts.ts";
import { writeDurably } from "../util/durable.ts";
import { RolledBack, StoppedByController } from "../util/errors.ts";
import { readOwnJson } from "../util/json-values.ts";
import { type Gold, goldOf } from "./gold.ts";

export interface CellRequest {
  readonly fault: FaultName | null;
  readonly seed: number;
  readonly interventions: "on" | "off";
}

export interface Cell extends CellRequest {
  /** Of what it was made from: a cell whose key is another is made anew. */
  readonly key: string;
  /** Of the run in the laboratory's workspace. */
  readonly run: string;
  /** First iteration of the fault; null without one. */
  readonly from: number | null;
  readonly iterations: number;
  /** Of tiers 1 and 2, in the order in which they came. */
  readonly alerts: readonly Pick<Alert, "rule" | "tier" | "iteration" | "signal">[];
  /** Where the controller stopped it, for a person; null where it ran to its end. */
  readonly stopped: { readonly rule: string; readonly iteration: number } | null;
  /** Iterations that the model which is scored has behind it: the last healthy checkpoint's of a run that was stopped. */
  readonly scoredAt: number;
  readonly gold: Gold;
  /** `health/total` and `monitor/gold`, where they were recorded. */
  readonly health: readonly GoldPoint[];
  readonly goldCurve: readonly GoldPoint[];
  readonly seconds: number;
}

export interface LabContext {
  /** PPO from the models that every run starts from. */
  readonly config: Config;
  readonly folder: string;
  /** The machine's record, as a run of the store has it. */
  readonly machine: (engine: Engine) => Promise<string>;
  readonly onProgress: (progress: Progress) => void;
  readonly onNote: (text: string) => void;
  readonly interrupted: () => boolean;
}

/** `lr-spike-11-on`. */
export function cellName({ fault, seed, interventions }: CellRequest): string {
  return `${fault ?? "healthy"}-${seed}-${interventions}`;
}

/** The configuration of one run: every rule in use, the fault from half of the run on. */
export function cellConfig(config: Config, { fault, seed, interventions }: CellRequest): Config {
  return {
    ...config,
    seed,
    faults: fault === null ? [] : [`${fault}@${faultBegins(config)}`],
    control: { ...config.control, profile: "adaptive", interventions },
  };
}

export function faultBegins({ ppo }: Config): number {
  return Math.floor(ppo!.iterations / 2);
}

/** A cell that is done already, from its file; else null. */
export function readCell({ folder, config }: Pick<LabContext, "folder" | "config">, request: CellRequest): Cell | null {
  const path = cellFile(folder, request);
  if (!existsSync(path)) return null;
  const cell = readOwnJson(path, { remedy: "Delete it: its run is then done again." }) as Cell;
  return cell.key === keyOf(cellConfig(config, request)) ? cell : null;
}

/** Trains and scores; what is done is kept in a file. Throws Interrupted. */
export async function runCell(context: LabContext, request: CellRequest): Promise<Cell> {
  const startedAt = Date.now();
  const config = cellConfig(context.config, request);
  const store = openStore(join(context.folder, "ballast.db"));
  const engine = await createEmbeddedEngine({ threads: config.threads, onNote: context.onNote });
  try {
    const run = freshName(store, cellName(request));
    const folder = join(context.folder, run);
    mkdirSync(folder, { recursive: true });
    const recorded = recordedConfig(config, folder);
    writeDurably(join(folder, "config.json"), recorded);
    const machine = await context.machine(engine);
    const { objective, seed } = config;
    store.createRun({ id: run, objective, seed, folder, config: recorded, machine, createdAt: startedAt });
    const trained = await train(context, { config, folder, run, store, engine });
    const alerts = store
      .events(run, { kind: "alert", limit: 100_000 })
      .rows.map(({ data }) => data!.alert as Alert)
      .filter(({ tier }) => tier < 3)
      .map(({ rule, tier, iteration, signal }) => ({ rule, tier, iteration, signal }));
    const cell: Cell = {
      ...request,
      key: keyOf(config),
      run,
      from: request.fault === null ? null : faultBegins(config),
      iterations: config.ppo!.iterations,
      alerts,
      ...trained,
      health: curve(store, run, "health/total"),
      goldCurve: curve(store, run, "monitor/gold"),
      seconds: (Date.now() - startedAt) / 1000,
    };
    writeDurably(cellFile(context.folder, request), `${JSON.stringify(cell)}\n`);
    return cell;
  } finally {
    store.close();
    await engine.close();
  }
}

interface Place {
  readonly config: Config;
  readonly folder: string;
  readonly run: string;
  readonly store: Store;
  readonly engine: Engine;
}

async function train(
  { onProgress, interrupted }: LabContext,
  { config, folder, run, store, engine }: Place,
): Promise<Pick<Cell, "stopped" | "scoredAt" | "gold">> {
  const options = { config, folder, engine, onProgress, interrupted };
  for (let resume = false; ; resume = true) {
    const recorder = store.recorder(run, store.startAttempt(run));
    try {
      const { evaluation } = await runPipeline({ ...options, recorder, resume });
      recorder.state("done");
      return { stopped: null, scoredAt: config.ppo!.iterations, gold: goldOf(evaluation!) };
    } catch (error) {
      recorder.state(error instanceof StoppedByController ? "stopped" : "interrupted");
      // A run that rolls back goes on as a new attempt.
      if (error instanceof RolledBack) continue;
      const incident = store.incidents({ run }).at(-1);
      if (!(error instanceof StoppedByController) || incident === undefined) throw error;
      const { before, lastHealthy } = incident.evidence.checkpoints;
      const checkpoint = lastHealthy ?? before!;
      const { rule, iteration } = incident;
      return {
        stopped: { rule, iteration },
        scoredAt: Number(/checkpoint-(\d+)$/.exec(checkpoint)![1]),
        gold: goldOf(await evaluateRun({ ...options, model: join(checkpoint, "policy") })),
      };
    } finally {
      recorder.close();
    }
  }
}

function curve(store: Store, run: string, key: string): GoldPoint[] {
  const { points } = store.series(run, "ppo", key, { maxPoints: Number.POSITIVE_INFINITY });
  return points.map(({ from, last }) => ({ iteration: from, value: last }));
}

/** A run that was left in the middle stays in the database: the next try is another. */
function freshName(store: Store, name: string): string {
  for (let n = 1; ; n++) if (store.run(`${name}-${n}`) === undefined) return `${name}-${n}`;
}

function cellFile(folder: string, request: CellRequest): string {
  return join(folder, "cells", `${cellName(request)}.json`);
}

function keyOf(config: Config): string {
  const { rules, disable } = config.control;
  const inUse = loadRules({ path: rules, disable, iterations: config.ppo!.iterations });
  return createHash("sha256")
    .update(JSON.stringify([{ ...config, workspace: "" }, inUse]))
    .digest("hex");
}
