/** `ballast reproduce`: repeats a run and compares it with itself, bit by bit. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { checkpointName } from "../../../config/checkpoint-names.ts";
import { type Config, recordedConfig } from "../../../config/index.ts";
import type { Engine } from "../../../engine/engine.ts";
import { configOf, findRun, type RunPlace } from "../../../inspect/places.ts";
import { lockRun } from "../../../run/lock.ts";
import type { Machine } from "../../../run/machine-record.ts";
import { runPipeline } from "../../../run/pipeline.ts";
import { openRunEngine } from "../../../run/run-engine.ts";
import { databaseOf, openStore, type Store } from "../../../store/index.ts";
import { dataChanges } from "../../../trainer/data-record.ts";
import { type Stage, stages } from "../../../types/records.ts";
import { writeDurably } from "../../../util/durable.ts";
import { Interrupted, messageOf, RolledBack, StoppedByController, UsageError } from "../../../util/errors.ts";
import { removeTree } from "../../../util/platform.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { hashOfWeights } from "../../../util/weight-files.ts";
import { watchSignals } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import { ProgressDisplay } from "../../progress.ts";
import { shortPath } from "../../short-path.ts";
import { shownValues } from "../../shown-values.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";
import { type Comparing, comparingRecorder, type Difference } from "./comparing-recorder.ts";

export interface ReproduceOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** Steps (iterations of PPO) of the last stage; by default as far as the run came. */
  readonly until?: number;
  /** Where to repeat and keep the run; by default a temporary folder, which is removed. */
  readonly out?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** Where to stop, and why there. */
interface Limit {
  readonly stage: Stage;
  readonly step: number;
  readonly why: string;
}

/** Repeats a run. Returns 0 if everything is the same to the bit, else 1. */
export async function reproduce(options: ReproduceOptions): Promise<number> {
  const { run, until, out, workspace, json = false, terminal } = options;
  const place = findRun(run, workspace);
  const config = configOf(place);
  const store = openStore(databaseOf(place.workspace), { readonly: true });
  const again = out === undefined ? mkdtempSync(join(tmpdir(), "ballast-reproduce-")) : newFolder(out);
  try {
    const limit = limitOf({ store, place, config, until });
    const { comparing, differences } = await runAgain({ store, place, config, folder: again, limit, terminal });
    const weights = comparing.first() === null ? await compareWeights(place.folder, again, limit) : {};
    const first = comparing.first();
    const unexpected = comparing.unexpected();
    const same = first === null && unexpected === null && Object.values(weights).every(Boolean);
    if (json)
      terminal.out(
        jsonLine({
          run: place.id,
          same,
          ...comparing.count(),
          first,
          unexpected,
          weights,
          machine: differences,
          limit,
        }),
      );
    else
      for (const line of resultLines({ comparing, weights, same, limit, differences })) {
        for (const part of wrap(printableLine(line), terminal.outWidth())) terminal.out(part);
      }
    if (!json && out !== undefined) terminal.out(`It is in ${shortPath(again)}.`);
    return same ? 0 : 1;
  } finally {
    store.close();
    if (out === undefined) await removeTree(again);
  }
}

function newFolder(out: string): string {
  const folder = resolve(out);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new UsageError(`${out} is not empty`, "Name an empty folder, or one that does not exist yet.");
  mkdirSync(folder, { recursive: true });
  return folder;
}

interface AgainOptions {
  readonly store: Store;
  readonly place: RunPlace;
  readonly config: Config;
  readonly folder: string;
  readonly limit: Limit | null;
  readonly terminal: Terminal;
}

async function runAgain(options: AgainOptions): Promise<{ comparing: Comparing; differences: readonly string[] }> {
  const { store, place, config, folder, limit, terminal } = options;
  const { id } = place;
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  const signals = watchSignals({
    onInterrupt: () => display.note(terminal.noteColours.yellow("finishing this step; Ctrl-C again leaves at once")),
    onLeave: () => display.close(),
  });
  const lock = lockRun(folder);
  const before = JSON.parse(store.run(id)!.machine) as Machine;
  let engine: Engine | null = null;
  try {
    const { interrupted } = signals;
    const opened = await openRunEngine({ config, before, onNote: (text) => display.note(text), interrupted });
    engine = opened.engine;
    const { differences } = opened;
    const warn = (message: string) => display.note(`${terminal.noteColours.yellow("warning:")} ${message}`);
    for (const difference of differences) warn(`${difference}; the last bits may differ`);
    for (const change of dataChanges(config, place.folder)) warn(`${change}; the numbers will differ`);
    writeDurably(join(folder, "config.json"), recordedConfig(config, folder));
    // The rules with which it began, even if their files have changed since.
    const rules = join(place.folder, "rules.json");
    if (existsSync(rules)) writeDurably(join(folder, "rules.json"), readFileSync(rules));
    const comparing = comparingRecorder({
      runId: id,
      recorded: (stage, iteration) => store.values(id, stage, iteration),
      commands: store.commands(id),
      incidents: store.incidents({ run: id }),
    });
    let reached = false;
    const enough = () => reached || comparing.first() !== null;
    try {
      await runPipeline({
        config,
        folder,
        recorder: comparing.recorder,
        engine,
        resume: false,
        onProgress: (progress) => {
          display.update(progress);
          const { unit, stage, step } = progress;
          reached ||= limit !== null && unit !== "row" && stage === limit.stage && step >= limit.step;
        },
        interrupted: () => enough() || signals.interrupted(),
      });
    } catch (error) {
      if (error instanceof Interrupted && !enough())
        throw new Interrupted("interrupted before the comparison was done");
      const ends = error instanceof Interrupted || error instanceof StoppedByController || error instanceof RolledBack;
      if (!ends) throw error;
      if (!(error instanceof Interrupted)) display.note(messageOf(error));
    }
    comparing.finish();
    return { comparing, differences };
  } finally {
    display.close();
    await engine?.close();
    signals.dispose();
    lock.release();
  }
}

/** The limit of the comparison; null if the whole run can be compared. */
function limitOf({
  store,
  place,
  config,
  until,
}: {
  store: Store;
  place: RunPlace;
  config: Config;
  until: number | undefined;
}): Limit | null {
  const { id, folder } = place;
  const run = store.run(id);
  if (run === undefined) throw new UsageError(`${store.path} has no run ${id}`, "Its database is not here.");
  if (run.position === null) throw new UsageError(`run ${id} has recorded nothing yet`);
  const last = stages.findLast((stage) => config[stage] !== undefined)!;
  const limits: Limit[] = until === undefined ? [] : [{ stage: last, step: until, why: "as told" }];
  const back = store
    .events(id, { kind: "rollback", limit: Number.MAX_SAFE_INTEGER })
    .rows.map(({ data }) => Number(data?.to));
  if (back.length > 0)
    limits.push({
      stage: "ppo",
      step: Math.min(...back),
      why: "the run then rolled back, to different random streams",
    });
  const { stage, iteration } = run.position;
  if (!existsSync(join(folder, last, "final"))) {
    const next = stages.find((other) => config[other] !== undefined && stages.indexOf(other) > stages.indexOf(stage));
    const stageIsDone = existsSync(join(folder, stage, "final")) && next !== undefined;
    limits.push({
      ...(stageIsDone ? { stage: next, step: 0 } : { stage, step: iteration + 1 }),
      why: "the run came no further",
    });
  }
  return limits.sort((a, b) => stages.indexOf(a.stage) - stages.indexOf(b.stage) || a.step - b.step)[0] ?? null;
}

/** By model: whether its weights are the same. Models that only one of the two has are left out. */
async function compareWeights(before: string, again: string, limit: Limit | null): Promise<Record<string, boolean>> {
  const places = stages.map((stage) => join(stage, "final"));
  if (limit !== null)
    places.push(...["policy", "critic", "model"].map((name) => join(limit.stage, checkpointName(limit.step), name)));
  const result: Record<string, boolean> = {};
  for (const place of places) {
    const a = await hashOfWeights(join(before, place));
    const b = await hashOfWeights(join(again, place));
    if (a !== null && b !== null) result[place] = a === b;
  }
  return result;
}

function resultLines({
  comparing,
  weights,
  same,
  limit,
  differences,
}: {
  comparing: Comparing;
  weights: Record<string, boolean>;
  same: boolean;
  limit: Limit | null;
  differences: readonly string[];
}): string[] {
  const { iterations, numbers } = comparing.count();
  const upTo = limit === null ? "" : `Compared up to ${limit.stage} ${limit.step}: ${limit.why}.`;
  const models = Object.keys(weights).join(", ");
  const tail = upTo === "" ? [] : [upTo];
  if (same) {
    const what = models === "" ? "" : `, and the weights of ${models}`;
    return [`The same to the bit: ${numbers} numbers of ${iterations} steps${what}.`, ...tail];
  }
  const first = comparing.first();
  const unexpected = comparing.unexpected();
  const changed = Object.keys(weights).filter((model) => !weights[model]);
  return [
    first !== null
      ? `Not the same. ${differenceWords(first)}`
      : unexpected !== null
        ? `Not the same: the run stopped this time. ${unexpected}`
        : `Not the same: every number matches, but the weights of ${changed.join(", ")} differ.`,
    ...differences.map((difference) => `The machine differs: ${difference}.`),
    ...tail,
  ];
}

function differenceWords({ stage, iteration, key, recorded, found }: Difference): string {
  return `First difference: ${stage} ${iteration}, ${key}: recorded ${recorded ?? "nothing"}, now ${found ?? "nothing"}.`;
}
