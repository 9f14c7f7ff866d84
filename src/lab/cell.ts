/** One run of the laboratory, in its own folder: a fault or none, a seed, interventions on or off. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FaultName } from "../config/fault-names.ts";
import type { Config } from "../config/index.ts";
import type { GoldPoint } from "../control/health/index.ts";
import { loadRules } from "../control/rules/load-rules.ts";
import { newRun } from "../run/new-run.ts";
import { openRun, type RunFacts, type RunNote } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import { openRunEngine } from "../run/run-engine.ts";
import { databaseOf, openStore, type Store, withStore } from "../store/index.ts";
import { evaluateRun } from "../trainer/evaluate-run.ts";
import type { Progress } from "../trainer/run-types.ts";
import type { Alert, IncidentRecord } from "../types/alerts.ts";
import { writeDurably } from "../util/durable.ts";
import { StoppedByController } from "../util/errors.ts";
import { readOwnJson } from "../util/json-values.ts";
import { type Gold, goldOf } from "./gold.ts";

export interface CellRequest {
  readonly fault: FaultName | null;
  readonly seed: number;
  readonly interventions: "on" | "off";
}

export interface Cell extends CellRequest {
  /** Hash of the cell's inputs: a cell with a different key is made again. */
  readonly key: string;
  /** The run's id in the laboratory's workspace. */
  readonly run: string;
  /** First iteration of the fault; null without one. */
  readonly from: number | null;
  readonly iterations: number;
  /** Alerts of tiers 1 and 2, in order. */
  readonly alerts: readonly Pick<Alert, "rule" | "tier" | "iteration" | "signal">[];
  /** Where the controller stopped the run; null if it ran to its end. */
  readonly stopped: { readonly rule: string; readonly iteration: number } | null;
  /** Iterations done by the scored model: those of the last healthy checkpoint if the run was stopped. */
  readonly scoredAt: number;
  readonly gold: Gold;
  /** `health/total` and `monitor/gold`, if they were recorded. */
  readonly health: readonly GoldPoint[];
  readonly goldCurve: readonly GoldPoint[];
  readonly seconds: number;
}

export interface LabContext {
  /** The configuration of PPO, starting from the common models. */
  readonly config: Config;
  readonly folder: string;
  readonly onProgress: (progress: Progress) => void;
  readonly onNote: (text: string) => void;
  readonly interrupted: () => boolean;
}

/** The cell's name: `lr-spike-11-on`. */
function cellName({ fault, seed, interventions }: CellRequest): string {
  return `${fault ?? "healthy"}-${seed}-${interventions}`;
}

/** The configuration of one run: every rule in use, and the fault from half of the run on. */
function cellConfig(config: Config, { fault, seed, interventions }: CellRequest): Config {
  return {
    ...config,
    seed,
    faults: fault === null ? [] : [`${fault}@${faultBegins(config)}`],
    control: { ...config.control, profile: "adaptive", interventions },
  };
}

function faultBegins({ ppo }: Config): number {
  return Math.floor(ppo!.iterations / 2);
}

/** A finished cell, from its file; null if there is none. */
export function readCell({ folder, config }: Pick<LabContext, "folder" | "config">, request: CellRequest): Cell | null {
  const path = cellFile(folder, request);
  if (!existsSync(path)) return null;
  const cell = readOwnJson(path, { remedy: "Delete it: its run is then done again." }) as Cell;
  return cell.key === keyOf(cellConfig(config, request)) ? cell : null;
}

/** Trains and scores a cell, and keeps the result in a file. Throws Interrupted. */
export async function runCell(context: LabContext, request: CellRequest): Promise<Cell> {
  const startedAt = Date.now();
  const config = cellConfig(context.config, request);
  const run = newRun({ config: { ...config, workspace: context.folder }, name: cellName(request) });
  const trained = await trainCell(context, run);
  const store = openStore(databaseOf(context.folder), { readonly: true });
  try {
    const { id } = run.place;
    const alerts = store
      .events(id, { kind: "alert", limit: 100_000 })
      .rows.map(({ data }) => data!.alert as Alert)
      .filter(({ tier }) => tier < 3)
      .map(({ rule, tier, iteration, signal }) => ({ rule, tier, iteration, signal }));
    const cell: Cell = {
      ...request,
      key: keyOf(config),
      run: id,
      from: request.fault === null ? null : faultBegins(config),
      iterations: config.ppo!.iterations,
      alerts,
      ...trained,
      health: curve(store, id, "health/total"),
      goldCurve: curve(store, id, "monitor/gold"),
      seconds: (Date.now() - startedAt) / 1000,
    };
    writeDurably(cellFile(context.folder, request), `${JSON.stringify(cell)}\n`);
    return cell;
  } finally {
    store.close();
  }
}

async function trainCell(context: LabContext, facts: RunFacts): Promise<Pick<Cell, "stopped" | "scoredAt" | "gold">> {
  const { config } = facts;
  try {
    const { result } = await openRun({ ...facts, ...listenerOf(context) }).train(runPipeline);
    return { stopped: null, scoredAt: config.ppo!.iterations, gold: goldOf(result.evaluation!) };
  } catch (error) {
    if (!(error instanceof StoppedByController)) throw error;
    const incident = lastIncident(context, facts.place.id);
    if (incident === undefined) throw error;
    const { before, lastHealthy } = incident.evidence.checkpoints;
    const checkpoint = lastHealthy ?? before!;
    const { rule, iteration } = incident;
    return {
      stopped: { rule, iteration },
      scoredAt: Number(/checkpoint-(\d+)$/.exec(checkpoint)![1]),
      gold: await scoreStopped(context, facts, join(checkpoint, "policy")),
    };
  }
}

/** Reports a run of the laboratory while it trains. */
export function listenerOf({ onProgress, onNote, interrupted }: LabContext) {
  return { onProgress, onNote: ({ text }: RunNote) => onNote(text), interrupted };
}

function lastIncident({ folder }: LabContext, run: string): IncidentRecord | undefined {
  return withStore(folder, (store) => store.incidents({ run }).at(-1));
}

async function scoreStopped(context: LabContext, { config, place }: RunFacts, model: string): Promise<Gold> {
  const { onProgress, onNote, interrupted } = context;
  const { engine } = await openRunEngine({ config, before: null, onNote });
  try {
    return goldOf(await evaluateRun({ config, folder: place.folder, engine, onProgress, interrupted, model }));
  } finally {
    await engine.close();
  }
}

function curve(store: Store, run: string, key: string): GoldPoint[] {
  const { points } = store.series(run, "ppo", key, { maxPoints: Number.POSITIVE_INFINITY });
  return points.map(({ from, last }) => ({ iteration: from, value: last }));
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
