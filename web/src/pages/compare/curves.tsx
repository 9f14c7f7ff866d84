/** Curves of several runs in the same charts, one chart per metric. */
import { useEffect } from "preact/hooks";
import type { RunAnswer } from "../../../../src/types/page.ts";
import type { Stage } from "../../../../src/types/records.ts";
import { Chart } from "../../components/chart.tsx";
import { Button, Empty } from "../../components/parts.tsx";
import { exactDuration } from "../../format.ts";
import { setQuery } from "../../router.ts";
import type { Column } from "../../state/column.ts";
import type { RunData } from "../../state/run-data.ts";
import { toggled, wordsOf } from "../../state/run-list.ts";
import { useColumnsOfAll } from "../../state/use-runs.ts";
import { groupColumn, type RunGroup } from "./groups.ts";
import { overTime } from "./time-axis.ts";

export interface CurvesProps {
  readonly runs: readonly RunData[];
  /** Groups, each of which is one line: a run, or the mean of several with their band. */
  readonly groups: readonly RunGroup[];
  readonly query: Readonly<Record<string, string>>;
}

const usual: Readonly<Record<Stage, readonly string[]>> = {
  ppo: [
    "reward/score_mean",
    "kl/ref_k3_token",
    "monitor/gold",
    "entropy/mean",
    "value/explained_variance",
    "health/total",
  ],
  reward: ["reward_model/loss", "reward_model/heldout_accuracy", "reward_model/score_gap"],
  sft: ["sft/loss", "sft/heldout_loss", "gradient/norm"],
};

const timeKey = "time/total_s";
const smoothings = ["", "0.6", "0.9"] as const;

const ofCharts = (run: RunData) => run;
const ofWhole = (run: RunData) => run.whole;

export function Curves({ runs, groups, query }: CurvesProps) {
  const known = keysOf(runs);
  const stages = (["ppo", "reward", "sft"] as const).filter((one) => known.some(({ stage }) => stage === one));
  const stage = stages.find((one) => one === query.stage) ?? stages[0];
  const has = (key: string) => known.some((one) => one.stage === stage && one.key === key);
  const keys = (stage === undefined ? [] : query.keys ? wordsOf(query.keys) : usual[stage]).filter(has);
  const timed = query.x === "time" && has(timeKey);
  const smooth = smoothings.find((one) => one === query.smooth) ?? "";
  const range = { from: numberIn(query.from), to: numberIn(query.to) };
  // Runs share an axis of iterations; an axis of seconds needs each whole run, and is cut afterwards.
  const of = timed ? ofWhole : ofCharts;
  useColumnsOfAll(runs, stage ?? "ppo", timed ? [...keys, timeKey] : keys, of);
  useEffect(() => {
    if (!timed) for (const run of runs) run.zoom(range);
  }, [runs, timed, range.from, range.to]);
  const drawn = runs.reduce((sum, run) => sum + of(run).drawn.value, 0);
  if (stage === undefined) {
    const reading = runs.some(({ answer, error }) => answer.value === null && error.value === null);
    return <Empty>{reading ? "Reading the runs…" : "None of these runs has recorded a metric yet."}</Empty>;
  }

  const columnOf = (run: RunData, key: string): Column =>
    timed ? overTime(run.whole.column(stage, key), run.whole.column(stage, timeKey)) : run.column(stage, key);
  return (
    <section aria-label="curves">
      <div class="curve-bar">
        <h2>Curves</h2>
        {stages.length > 1 && (
          <label>
            <span class="quiet">stage </span>
            <select
              value={stage}
              onChange={({ currentTarget }) =>
                setQuery({
                  stage: currentTarget.value === stages[0] ? "" : currentTarget.value,
                  keys: "",
                  from: "",
                  to: "",
                })
              }
            >
              {stages.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </label>
        )}
        {has(timeKey) && (
          <Button
            shortcut="x"
            says="iterations or training time across"
            pressed={timed}
            onPress={() => setQuery({ x: timed ? "" : "time", from: "", to: "" })}
          >
            over training time
          </Button>
        )}
        <Button
          shortcut="s"
          says="smooth more, or not"
          pressed={smooth !== ""}
          onPress={() => setQuery({ smooth: smoothings[(smoothings.indexOf(smooth) + 1) % smoothings.length] })}
        >
          {smooth === "" ? "smooth" : `smooth ${smooth}`}
        </Button>
        <Button
          shortcut="l"
          says="logarithmic axes, if values are above 0"
          pressed={query.log === "1"}
          onPress={() => setQuery({ log: query.log === "1" ? "" : "1" })}
        >
          log
        </Button>
        {(range.from !== undefined || range.to !== undefined) && (
          <Button shortcut="0" says="all iterations" onPress={() => setQuery({ from: "", to: "" })}>
            all of it
          </Button>
        )}
        <KeyChooser
          keys={keys}
          known={known.filter((one) => one.stage === stage).map(({ key }) => key)}
          isUsual={!query.keys}
        />
      </div>
      {keys.length === 0 && <Empty>No metric is chosen: add one above.</Empty>}
      <div class="curves">
        {keys.map((key) => {
          const lines = groups.flatMap(({ ink: { letter, colour, dashed }, ids }) => {
            const own = runs.filter(({ id }) => ids.includes(id));
            if (own.length === 0) return [];
            // Seconds of one run are not those of another.
            if (timed && own.length > 1)
              return own.map((run, i) => ({
                ...{ label: `${letter}${i + 1}`, letter: `${letter}${i + 1}`, name: `${letter} ${run.id}` },
                ...{ colour, dashed: dashed || i > 0, column: columnOf(run, key) },
              }));
            const { mean, band } = groupColumn(own.map((run) => columnOf(run, key)));
            const label = own.length > 1 ? `${letter}, mean of ${own.length}` : letter;
            return [
              {
                label,
                letter,
                name: `${letter} ${ids.join(" ")}`,
                colour,
                dashed,
                column: mean,
                ...(band && { band }),
              },
            ];
          });
          const log = query.log === "1" && lines.every(({ column }) => isMostlyAbove(column));
          return (
            <Chart
              key={key}
              title={key}
              {...(query.log === "1" && !log && { unit: "not log: many values are 0 or below" })}
              lines={lines}
              drawn={drawn}
              smooth={Number(smooth)}
              log={log}
              sync="compare"
              from={range.from}
              to={range.to}
              {...(timed && { across: "seconds", xText: exactDuration })}
              onZoom={(zoomed) => setQuery({ from: zoomed?.from ?? "", to: zoomed?.to ?? "" }, { replace: false })}
              file={`compare-${key}`}
            />
          );
        })}
      </div>
      {timed && (
        <p class="quiet">
          Training time is the sum of {timeKey}: pauses and abandoned iterations do not count. Curves are of the whole
          run in at most 200 steps each
          {groups.length < runs.length &&
            "; seconds of one run are not those of another, so each run of a group has its own line"}
          .
        </p>
      )}
    </section>
  );
}

/** Chips of the metrics shown, and a field to add one. */
function KeyChooser({
  keys,
  known,
  isUsual,
}: {
  readonly keys: readonly string[];
  readonly known: readonly string[];
  readonly isUsual: boolean;
}) {
  const add = (input: HTMLInputElement) => {
    if (!known.includes(input.value) || keys.includes(input.value)) return;
    setQuery({ keys: [...keys, input.value].join(",") });
    input.value = "";
  };
  return (
    <details class="key-chooser">
      <summary>metrics {keys.length}</summary>
      <div>
        <label>
          <span class="quiet">add </span>
          <input list="metrics-to-add" size={28} onInput={({ currentTarget }) => add(currentTarget)} />
          <datalist id="metrics-to-add">
            {known
              .filter((key) => !keys.includes(key))
              .map((key) => (
                <option key={key} value={key} />
              ))}
          </datalist>
        </label>
        {keys.map((key) => (
          <span key={key} class="tag">
            {key}
            <button
              type="button"
              class="ghost"
              aria-label={`leave ${key} out`}
              onClick={() => setQuery({ keys: toggled(keys, key).join(",") || "none" })}
            >
              ✕
            </button>
          </span>
        ))}
        {!isUsual && (
          <button type="button" class="ghost" onClick={() => setQuery({ keys: "" })}>
            the usual ones
          </button>
        )}
      </div>
    </details>
  );
}

/** Metrics that any of the runs has, in all stages. */
function keysOf(runs: readonly RunData[]): RunAnswer["keys"] {
  const all = runs.flatMap(({ answer }) => answer.value?.keys ?? []);
  return [...new Map(all.map((one) => [`${one.stage} ${one.key}`, one])).values()];
}

/** A KL begins at 0 and still belongs on a logarithmic axis; a reward does not. */
function isMostlyAbove({ min }: Column): boolean {
  const below = min.filter((low) => low !== null && low <= 0).length;
  return below <= 0.1 * min.length;
}

function numberIn(text: string | undefined): number | undefined {
  const number = Number(text);
  return text && Number.isFinite(number) ? number : undefined;
}
