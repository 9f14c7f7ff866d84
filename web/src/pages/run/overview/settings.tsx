/** Settings in force, what changed them and when: step lines of those that changed. */

import { useMemo } from "preact/hooks";
import type { SettingsAnswer } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Chart } from "../../../components/chart.tsx";
import { Card, Empty, Problem } from "../../../components/parts.tsx";
import { figure, visible } from "../../../format.ts";
import { colourOf } from "../../../hues.ts";
import { setQuery, view } from "../../../router.ts";
import type { Column } from "../../../state/column.ts";
import { emptyColumn } from "../../../state/column.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useAnswer } from "../../../state/use-answer.ts";
import { choose, type OverviewState, showRange } from "./view-state.ts";

type SettingRow = SettingsAnswer["rows"][number];

export interface SettingsProps {
  readonly data: RunData;
  readonly stage: Stage;
  readonly state: OverviewState;
  /** Newest iteration of the stage. */
  readonly newest: number;
}

const moves = new Set([
  "setting",
  "command",
  "intervention",
  "outcome",
  "resumed",
  "rollback",
  "incident",
  "stage_started",
]);

export function Settings({ data, stage, state, newest }: SettingsProps) {
  const news = data.events.value.filter(({ kind }) => moves.has(kind)).length;
  const path = `/api/runs/${encodeURIComponent(data.id)}/settings`;
  const { answer, error } = useAnswer<SettingsAnswer>(path, {}, news);
  const all = view.value.query.settings === "all";
  const histories = useMemo(() => historiesOf(answer?.rows ?? [], stage), [answer, stage]);
  const changed = histories.filter(({ rows }) => rows.length > 1);
  const shown = all ? histories : changed;
  return (
    <Card
      title="Settings in force"
      aside={
        <button type="button" aria-pressed={all} onClick={() => setQuery({ settings: all ? "" : "all" })}>
          {all ? "only what changed" : `all ${histories.length}`}
        </button>
      }
    >
      <Problem error={error} />
      {answer !== null && changed.length === 0 && !all && (
        <Empty>All {histories.length} have the values of the configuration: nothing changed them.</Empty>
      )}
      <div class="charts">
        {changed.filter(isNumeric).map(({ key, rows }) => (
          <SettingChart key={key} {...{ data, stage, state, newest, rows }} title={key} />
        ))}
      </div>
      {shown.length > 0 && (
        <div class="scroll">
          <table class="tight">
            <thead>
              <tr>
                <th>setting</th>
                <th>in force</th>
                <th>since</th>
                <th>by</th>
                <th>before</th>
                <th class="number">changes</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ key, rows, changes }) => {
                const last = rows.at(-1)!;
                return (
                  <tr key={key}>
                    <td>
                      <code>{visible(key)}</code>
                    </td>
                    <td>
                      <b>{valueText(last.value)}</b>
                    </td>
                    <td>
                      <button type="button" class="ghost" onClick={() => choose(last.iteration)}>
                        it {last.iteration}
                      </button>
                    </td>
                    <td>{causeText(last)}</td>
                    <td class="quiet">{rows.length > 1 ? valueText(last.before) : ""}</td>
                    <td class="number">{changes}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

interface SettingChartProps extends SettingsProps {
  readonly title: string;
  readonly rows: readonly SettingRow[];
}

function SettingChart({ data, state, newest, title, rows }: SettingChartProps) {
  const column = useMemo(() => stepsOf(rows, newest), [rows, newest]);
  const marks = useMemo(
    () =>
      rows.slice(1).map((row) => ({
        iteration: row.iteration,
        says: `${valueText(row.before)} → ${valueText(row.value)}, by ${causeText(row)}`,
        shape: row.cause === "operator" ? "›" : row.cause === "intervention" ? "◈" : "Δ",
        tone: row.cause === "intervention" ? ("warn" as const) : ("quiet" as const),
      })),
    [rows],
  );
  return (
    <Chart
      title={visible(title)}
      lines={[{ label: title, column, colour: colourOf(data.id), stepped: true }]}
      {...{ marks }}
      from={state.from}
      to={state.to}
      log={state.log}
      chosen={state.it}
      sync={`run ${data.id}`}
      height={110}
      onZoom={showRange}
      onPick={choose}
      file={`${data.id} ${title}`}
    />
  );
}

interface History {
  readonly key: string;
  readonly rows: readonly SettingRow[];
  readonly changes: number;
}

/** Histories by setting, oldest change first. */
export function historiesOf(rows: readonly SettingRow[], stage: Stage): History[] {
  const own = rows.filter((row) => row.stage === stage);
  return [...new Set(own.map(({ key }) => key))].sort().map((key) => {
    const all = own.filter((row) => row.key === key);
    // A resumed run repeats the values in force.
    const steps = all.filter(({ value }, i) => value !== all[i - 1]?.value);
    const { of } = all[0]!;
    return { key, rows: steps, changes: (all.length < of ? of : steps.length) - 1 };
  });
}

function isNumeric({ rows }: History): boolean {
  return rows.every(({ value }) => typeof value === "number");
}

/** A step line: each value holds from its iteration on, the last one up to the newest. */
export function stepsOf(rows: readonly SettingRow[], newest: number): Column {
  const last = rows.at(-1)!;
  const steps = rows.map(({ iteration, value }) => [iteration, value as number] as const);
  if (newest > last.iteration) steps.push([newest, last.value as number]);
  // If several changed in one iteration, the last holds.
  const places = new Map(steps);
  const values = [...places.values()];
  return { ...emptyColumn(), from: [...places.keys()], mean: values, min: [...values], max: [...values] };
}

function causeText({ cause, intervention }: SettingRow): string {
  const said = cause === "config" ? "the configuration" : `the ${cause}`;
  return intervention === undefined || intervention === null ? said : `intervention ${intervention}`;
}

function valueText(value: SettingRow["value"]): string {
  return typeof value === "number" ? figure(value) : visible(String(value));
}
