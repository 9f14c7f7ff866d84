/** All charts of a stage, in groups that fold. */
import { useMemo } from "preact/hooks";
import type { RunAnswer, Threshold } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Chart } from "../../../components/chart.tsx";
import type { Hairline, Mark } from "../../../components/chart-ink.ts";
import type { Line } from "../../../components/chart-rows.ts";
import { figure, visible } from "../../../format.ts";
import { colourOf } from "../../../hues.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useColumns } from "../../../state/use-run.ts";
import { type ChartSpec, type GroupSpec, keysOf } from "./charts.ts";
import { boundText } from "./tiles.ts";
import { choose, type OverviewState, showRange, toggle } from "./view-state.ts";

export interface GroupsProps {
  readonly data: RunData;
  readonly stage: Stage;
  readonly groups: readonly GroupSpec[];
  readonly thresholds: RunAnswer["thresholds"];
  /** Newest value of each target's metric: `settings/kl_target`. */
  readonly targets: Readonly<Record<string, number>>;
  readonly marks: readonly Mark[];
  readonly state: OverviewState;
}

export function ChartGroups(props: GroupsProps) {
  const { groups, state } = props;
  return (
    <>
      {state.added.length > 0 && (
        <Group id="added" title="Added" isOpen={!state.closed.includes("added")}>
          {state.added.map((key) => (
            <SeriesChart
              key={key}
              {...props}
              chart={{ title: key, lines: [{ key, label: key }] }}
              onRemove={() => toggle("add", key)}
            />
          ))}
        </Group>
      )}
      {groups.map(({ id, title, charts }) => (
        <Group key={id} id={id} title={title} isOpen={!state.closed.includes(id)}>
          {charts.map((chart) => (
            <SeriesChart key={chart.title} {...props} chart={chart} />
          ))}
        </Group>
      ))}
    </>
  );
}

interface GroupProps {
  readonly id: string;
  readonly title: string;
  readonly isOpen: boolean;
  readonly children: preact.ComponentChildren;
}

/** A group of charts. The address has the folded ones, which fetch and draw nothing. */
function Group({ id, title, isOpen, children }: GroupProps) {
  return (
    <section class="chart-group">
      <h2>
        <button type="button" class="ghost" aria-expanded={isOpen} onClick={() => toggle("closed", id)}>
          <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> {title}
        </button>
      </h2>
      {isOpen && <div class="charts">{children}</div>}
    </section>
  );
}

interface SeriesChartProps extends GroupsProps {
  readonly chart: ChartSpec;
  readonly onRemove?: () => void;
}

/** Hue means run: lines of one run differ by dashes and by grey. */
const inks = [
  { colour: null, dashed: false },
  { colour: "--text", dashed: true },
  { colour: "--mark", dashed: false },
  { colour: null, dashed: true },
  { colour: "--text", dashed: false },
  { colour: "--mark", dashed: true },
];

function SeriesChart({ data, stage, chart, thresholds, targets, marks, state, onRemove }: SeriesChartProps) {
  const keys = useMemo(() => keysOf([chart]), [chart]);
  useColumns(data, stage, keys);
  const drawn = data.drawn.value;
  const own = colourOf(data.id);
  const lines = chart.lines.map(
    ({ key, label, stepped, band }, i): Line => ({
      label: visible(label),
      column: data.column(stage, key),
      colour: inks[i % inks.length]!.colour ?? own,
      dashed: inks[i % inks.length]!.dashed,
      ...(stepped && { stepped }),
      ...(band && { band: { low: data.column(stage, band[0]), high: data.column(stage, band[1]) } }),
    }),
  );
  const target = chart.target === undefined ? undefined : targets[chart.target];
  const hairlines = useMemo(() => hairlinesOf({ chart, thresholds, target }), [chart, thresholds, target]);
  const { from, to, it, smooth, log } = state;
  return (
    <div class="chart-cell">
      <Chart
        title={visible(chart.title)}
        {...(chart.unit !== undefined && { unit: chart.unit })}
        {...(chart.floor !== undefined && { floor: chart.floor })}
        {...(chart.ceiling !== undefined && { ceiling: chart.ceiling })}
        {...{ lines, drawn, smooth, from, to, marks }}
        log={chart.log === "usual" || (log && chart.log !== "never")}
        thresholds={hairlines}
        chosen={it}
        sync={`run ${data.id}`}
        onZoom={showRange}
        onPick={choose}
        file={`${data.id} ${stage} ${chart.title}`}
        xLabel={stage === "ppo" ? "it" : "step"}
      />
      {onRemove && (
        <button type="button" class="ghost chart-remove" onClick={onRemove} aria-label={`remove ${chart.title}`}>
          ✕
        </button>
      )}
    </div>
  );
}

interface HairlinesOf {
  readonly chart: ChartSpec;
  readonly thresholds: readonly Threshold[];
  readonly target: number | undefined;
}

export function hairlinesOf({ chart, thresholds, target }: HairlinesOf): Hairline[] {
  const own = thresholds.filter(({ signal }) => chart.lines.some(({ key }) => key === signal));
  const bounds = own.flatMap(({ tier, above, below }): Hairline[] => [
    ...(above === null ? [] : [{ value: above, tier, says: boundText({ above, below: null }) }]),
    ...(below === null ? [] : [{ value: below, tier, says: boundText({ above: null, below }) }]),
  ]);
  const aim: Hairline[] = target === undefined ? [] : [{ value: target, tier: null, says: `target ${figure(target)}` }];
  // If two rules have the same bound, the more serious one's is drawn.
  const sorted = [...aim, ...bounds.sort((a, b) => a.tier! - b.tier!)];
  return sorted.filter((one, i) => sorted.findIndex(({ value }) => value === one.value) === i);
}
