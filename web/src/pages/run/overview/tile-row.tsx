/** Six figures, each with its line, its change and its state: whether the run is healthy, at a glance. */
import { useMemo } from "preact/hooks";
import type { RunAnswer } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Sparkline } from "../../../components/sparkline.tsx";
import { figure, percent } from "../../../format.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useColumns } from "../../../state/use-run.ts";
import { sentenceOf } from "./event-words.ts";
import { changeOf, type TileSpec, tileState } from "./tiles.ts";

export interface TileRowProps {
  readonly data: RunData;
  readonly answer: RunAnswer;
  readonly stage: Stage;
  readonly tiles: readonly TileSpec[];
}

export function TileRow({ data, answer, stage, tiles }: TileRowProps) {
  useColumns(data.whole, stage, [...tiles.map(({ key }) => key), "time/total_s"]);
  const all = data.events.value;
  const events = useMemo(() => all.filter((event) => event.stage === stage), [all, stage]);
  return (
    <ul class="tiles" aria-label="signals">
      {tiles.map((spec) => (
        <Tile key={spec.key} {...{ data, answer, stage, spec, events }} />
      ))}
    </ul>
  );
}

type TileProps = Omit<TileRowProps, "tiles"> & {
  readonly spec: TileSpec;
  readonly events: RunData["events"]["value"];
};

function Tile({ data, answer, stage, spec, events }: TileProps) {
  void data.whole.drawn.value;
  const column = data.whole.column(stage, spec.key);
  const latest = answer.latest[stage] ?? {};
  const value = latest[spec.key];
  const show = spec.isShare ? percent : figure;
  const iteration = (answer.stages.find((one) => one.stage === stage)?.done ?? 1) - 1;
  const state = tileState({ spec, value, thresholds: answer.thresholds, events, iteration });
  const change = changeOf(column);
  const target = spec.target === undefined ? undefined : latest[spec.target];
  const why = sentenceOf(state.why, data.id);
  const [low, high] = (spec.interval ?? []).map((key) => latest[key]);
  return (
    <li class={`tile ${state.tone}`}>
      <div class="tile-head">
        <h3 title={[spec.title, spec.unit].filter(Boolean).join(", ")}>
          {spec.title} <span class="quiet">{spec.unit}</span>
        </h3>
        <span class={`state ${state.tone}`} title={why}>
          <span aria-hidden="true">{state.shape}</span> {state.word}
        </span>
      </div>
      <div class="tile-body">
        <b class="tile-figure">{show(value)}</b>
        <Sparkline
          values={column.mean}
          bad={column.nonFinite}
          width={110}
          height={30}
          label={`${spec.title} over the run`}
        />
      </div>
      <p class="tile-foot quiet" title={why}>
        {state.tone === "good" || state.tone === "quiet" ? (
          <>
            {target !== undefined && <span>target {show(target)} · </span>}
            {low !== undefined && (
              <span>
                {show(low)} to {show(high)} ·{" "}
              </span>
            )}
            {change !== null && (
              <span title={`the newest against the mean of the ${change.over} before`}>
                {signed(change.by, spec)} on {change.over} before
              </span>
            )}
          </>
        ) : (
          why
        )}
      </p>
    </li>
  );
}

/** A signed change; shares change by percentage points. */
function signed(by: number, { isShare = false }: TileSpec): string {
  const size = Number(Math.abs(isShare ? 100 * by : by).toPrecision(2));
  if (size === 0) return "±0";
  return `${by > 0 ? "+" : "−"}${figure(size)}${isShare ? " points" : ""}`;
}
