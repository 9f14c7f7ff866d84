/** `ballast history`: every value of a run's hyperparameters, when it was set, and why. */
import { findRun } from "../../../inspect/places.ts";
import { type SettingRow, type Store, withStore } from "../../../store/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { nearest } from "../../../util/nearest.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { jsonLine } from "../../json-line.ts";
import { settingText } from "../../settings-text.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

export interface HistoryOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** One hyperparameter, such as `ppo.learningRate`; by default all of them. */
  readonly key?: string;
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

/** A change with the operator's reason. */
interface Change extends SettingRow {
  readonly reason: string | null;
}

export async function history({ run, key, workspace, json = false, terminal }: HistoryOptions): Promise<number> {
  const place = findRun(run, workspace);
  const changes = withStore(place.workspace, (store) => changesOf(store, place.id, key));
  if (json) for (const { seq: _, ...change } of changes) terminal.out(jsonLine(change));
  else for (const line of historyLines(changes, { whole: key !== undefined, terminal })) terminal.out(line);
  return 0;
}

function changesOf(store: Store, runId: string, key: string | undefined): Change[] {
  const commands = store.commands(runId).filter(({ kind }) => kind === "set");
  const reasonOf = ({ cause, key, stage, iteration }: SettingRow) => {
    if (cause !== "operator") return null;
    const command = commands.findLast(
      ({ payload, appliedStage, appliedIteration }) =>
        payload.key === key && appliedStage === stage && appliedIteration === iteration,
    );
    return command?.reason || null;
  };
  const rows = allSettings(store, runId, key);
  if (rows.length === 0 && key !== undefined) {
    const known = [...new Set(allSettings(store, runId).map((row) => row.key))];
    const near = nearest(key, known);
    throw new UsageError(
      `run ${runId} has no hyperparameter ${key}`,
      near === undefined ? `It has: ${known.join(", ")}.` : `Did you mean ${near}?`,
    );
  }
  return rows.map((row) => ({ ...row, reason: reasonOf(row) }));
}

/** All rows, page by page: a hyperparameter that a schedule moves has one row per iteration. */
function allSettings(store: Store, runId: string, key?: string): SettingRow[] {
  return store.settings(runId, { limit: Number.MAX_SAFE_INTEGER, ...(key !== undefined && { key }) }).rows;
}

/** The history in lines. Consecutive changes made by a schedule or a controller share one line, unless `whole` is set. */
function historyLines(
  changes: readonly Change[],
  { whole, terminal }: { whole: boolean; terminal: Terminal },
): string[] {
  if (changes.length === 0) return ["No hyperparameter has been recorded yet."];
  const c = terminal.outColours;
  const byKey = [...new Set(changes.map(({ key }) => key))].map(
    (key) => [key, changes.filter((change) => change.key === key)] as const,
  );
  const moved = byKey.filter(([, rows]) => whole || rows.some(({ cause }) => cause !== "config"));
  const unchanged = byKey.filter(([, rows]) => !whole && rows.every(({ cause }) => cause === "config"));
  const width = terminal.outWidth();
  const rows = moved.flatMap(([key, rows]) =>
    (whole ? rows.map((row) => [row]) : stretches(rows)).map((stretch, i) => cells(i === 0 ? key : "", stretch)),
  );
  const columns = [
    { title: "hyperparameter" },
    { title: "iteration", align: "right" },
    { title: "attempt", align: "right" },
    { title: "before", align: "right" },
    { title: "after", align: "right" },
    { title: "cause", shrinksTo: 20 },
  ] as const;
  const still = unchanged.map(([key, rows]) => `${key} ${settingText(rows.at(-1)!.value)}`);
  return [
    ...(rows.length > 0 ? table({ columns, rows, width, heading: c.bold }) : []),
    ...(rows.length > 0 && still.length > 0 ? [""] : []),
    ...(still.length > 0 ? wrap(`As configured from the start: ${still.map(printableLine).join(", ")}`, width) : []),
  ];
}

function cells(key: string, stretch: readonly Change[]): string[] {
  const [first, last] = [stretch[0]!, stretch.at(-1)!];
  const { stage, cause, intervention, reason, superseded, attempt } = first;
  const why = [
    intervention === undefined ? cause : `${cause} ${intervention}`,
    ...(reason === null ? [] : [`: ${reason}`]),
    ...(stretch.length > 1 ? [`, ${stretch.length} changes`] : []),
    ...(superseded ? [", superseded"] : []),
  ];
  return [
    printableLine(key),
    `${stage} ${first.iteration}${stretch.length > 1 ? ` to ${last.iteration}` : ""}`,
    String(attempt),
    first.before === null ? "–" : settingText(first.before),
    settingText(last.value),
    printableLine(why.join("")),
  ];
}

/** Neighbouring rows that differ only in their value. */
function stretches(rows: readonly Change[]): Change[][] {
  const result: Change[][] = [];
  for (const row of rows) {
    const last = result.at(-1)?.at(-1);
    const steady = row.cause === "schedule" || row.cause === "controller";
    const same = last?.cause === row.cause && last.attempt === row.attempt && last.superseded === row.superseded;
    if (steady && same) result.at(-1)!.push(row);
    else result.push([row]);
  }
  return result;
}
