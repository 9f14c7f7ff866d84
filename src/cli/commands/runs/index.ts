/** `ballast runs`: the runs of a workspace, newest first. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { lengthKeys } from "../../../config/extend.ts";
import { failureOf, type RunFailure } from "../../../inspect/run-failure.ts";
import { type RunRow, type Store, databaseOf, withStore } from "../../../store/index.ts";
import type { Stage } from "../../../types/records.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { age, number } from "../../number-format.ts";
import { jsonLine } from "../../json-line.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { asTyped, runArgument, selfName, workspaceOption } from "../../find-run.ts";
import { wrap } from "../../width.ts";
import { type Noted, notedOf } from "../mark/index.ts";

export interface RunsOptions {
  readonly workspace: string;
  /** Include archived runs. */
  readonly all?: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

interface Summary extends Noted {
  readonly run: string;
  readonly state: RunRow["state"];
  readonly stage: Stage | null;
  /** Steps (iterations of PPO) done in the present stage, and how many it has. */
  readonly step: number | null;
  readonly steps: number | null;
  /** Newest mean score and KL to the reference in PPO. */
  readonly reward: number | null;
  readonly kl: number | null;
  readonly createdAt: number;
  readonly objective: string;
  /** Why it failed; null if it did not. */
  readonly failure: RunFailure | null;
}

/** Failed runs, the newest first, whose reasons stand below the table. */
const mostFailures = 3;

// A state is shown by a shape and a word, never only by colour.
const SHAPES: Record<RunRow["state"], string> = {
  created: "·",
  running: "▶",
  paused: "‖",
  done: "✓",
  interrupted: "◐",
  failed: "✗",
  stopped: "■",
  lost: "?",
};

export async function runs({ workspace, all = false, json = false, terminal }: RunsOptions): Promise<number> {
  const known = summaries(workspace);
  const rows = known.filter(({ archived }) => all || !archived);
  const hidden = known.length - rows.length;
  const more = `${hidden} archived ${hidden === 1 ? "run is" : "runs are"} not shown: ${selfName()} runs --all${workspaceOption(workspace)}`;
  if (json) {
    for (const row of rows) terminal.out(jsonLine(row));
    return 0;
  }
  if (rows.length === 0) {
    terminal.out(hidden > 0 ? more : `There are no runs in ${workspace}. Start one: ${selfName()} demo`);
    return 0;
  }
  const c = terminal.outColours;
  const colours = { running: c.green, paused: c.yellow, failed: c.red, lost: c.red, stopped: c.red } as Partial<
    Record<RunRow["state"], (text: string) => string>
  >;
  const tagged = rows.some(({ tags }) => tags.length > 0);
  const lines = table({
    columns: [
      { title: "run" },
      { title: "state" },
      { title: "stage" },
      { title: "progress", align: "right" },
      { title: "reward", align: "right" },
      { title: "KL", align: "right" },
      { title: "age", align: "right" },
      ...(tagged ? [{ title: "tags", shrinksTo: 8 }] : []),
      { title: "objective", shrinksTo: 12 },
    ],
    rows: rows.map((row) => [
      row.name === "" ? row.run : `${row.run} "${printableLine(row.name)}"`,
      (colours[row.state] ?? ((text) => text))(`${SHAPES[row.state]} ${row.state}${row.archived ? ", archived" : ""}`),
      row.stage ?? "–",
      row.step === null ? "–" : `${row.step}/${row.steps ?? "?"}`,
      number(row.reward ?? undefined, 3),
      number(row.kl ?? undefined, 4),
      age(Date.now() - row.createdAt),
      ...(tagged ? [printableLine(row.tags.join(", "))] : []),
      printableLine(row.objective),
    ]),
    width: terminal.outWidth(),
    heading: c.bold,
  });
  for (const line of lines) terminal.out(line);
  const failures = rows.filter(({ failure }) => failure !== null);
  for (const { run, failure } of failures.slice(0, mostFailures)) {
    terminal.out("");
    for (const line of wrap(`${run} failed: ${printableLine(failure!.message)}`, terminal.outWidth()))
      terminal.out(line);
    for (const line of failure!.hint === null ? [] : wrap(asTyped(printableLine(failure!.hint)), terminal.outWidth() - 2))
      terminal.out(`  ${line}`);
  }
  if (hidden > 0) terminal.out(`\n${more}`);
  return 0;
}

function summaries(workspace: string): Summary[] {
  if (!existsSync(databaseOf(workspace))) return [];
  return withStore(workspace, (store) => store.runs().map((row) => summary(store, row, workspace)));
}

function summary(store: Store, row: RunRow, workspace: string): Summary {
  const { id, state, position, createdAt, objective, folder } = row;
  const config = JSON.parse(row.config) as Partial<Record<Stage, { steps?: number; iterations?: number }>>;
  // If a run was resumed with a different length, its settings' history says so.
  const changed = position && store.settings(id, { key: lengthKeys[position.stage] }).rows.at(-1)?.value;
  const section = position && config[position.stage];
  const steps = typeof changed === "number" ? changed : (section?.steps ?? section?.iterations ?? null);
  const latest = new Map(store.latest(id, "ppo").map(({ key, value }) => [key, value]));
  return {
    run: id,
    state,
    stage: position?.stage ?? null,
    // Measurements at the end are recorded one past the last step.
    step: position && Math.min(position.iteration + 1, steps ?? Number.POSITIVE_INFINITY),
    steps,
    reward: latest.get("reward/score_mean") ?? null,
    kl: latest.get("kl/ref_k3_token") ?? null,
    createdAt,
    objective,
    failure: failureOf(store, row, runArgument({ id, workspace: resolve(workspace), folder })),
    ...notedOf(store.marks(id)),
  };
}
