/** The monitoring set over iterations: each gold check with its interval, what changed, and how consistent the answers are. */
import { useMemo } from "preact/hooks";
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { Estimate } from "../../../../../src/types/evaluation.ts";
import type { BehaviourAnswer, Num } from "../../../../../src/types/page.ts";
import { isFile } from "../../../api.ts";
import { Chart, type Line } from "../../../components/chart.tsx";
import type { Mark } from "../../../components/chart-ink.ts";
import { Card } from "../../../components/parts.tsx";
import { visible } from "../../../format.ts";
import { setQuery } from "../../../router.ts";
import { type Column, columnOf } from "../../../state/column.ts";
import { partings } from "./parting.ts";
import { PointTable } from "./point-table.tsx";
import type { BehaviourState } from "./view-state.ts";

export interface ChecksProps {
  readonly answer: BehaviourAnswer;
  readonly state: BehaviourState;
  readonly runId: string;
}

export function Checks({ answer, state, runId }: ChecksProps) {
  const { points } = answer;
  const charts = useMemo(() => chartsOf(answer), [answer]);
  const marks = useMemo(() => marksOf(points), [points]);
  return (
    <Card
      title="The evaluation set over iterations"
      aside={<span class="quiet">with 95% intervals{!isFile && "; a click on a point shows its answers below"}</span>}
    >
      <div class="checks">
        {charts.map(({ title, unit, line, share, check }) => (
          <Chart
            key={title}
            title={title}
            unit={unit}
            lines={[line]}
            {...(share && { floor: 0, ceiling: 1 })}
            from={points[0]?.iteration}
            to={points.length === 0 ? undefined : points.at(-1)!.iteration + 1}
            sync="behaviour"
            marks={check === undefined ? none : (marks.get(check) ?? none)}
            chosen={state.b}
            onPick={(iteration) => iteration !== null && setQuery({ b: iteration })}
            height={130}
            file={`${runId} ${title}`}
          />
        ))}
      </div>
      <PointTable answer={answer} />
    </Card>
  );
}

const none: readonly Mark[] = [];

/** Marks by check; null is the mean of all. */
function marksOf(points: BehaviourAnswer["points"]): Map<string | null, Mark[]> {
  const marks = new Map<string | null, Mark[]>();
  for (const { check, iteration, best } of partings(points)) {
    const says = `parted from the reward: clearly below iteration ${best}, with a higher score`;
    marks.set(check, [...(marks.get(check) ?? []), { iteration, shape: "▲", tone: "bad", says }]);
  }
  return marks;
}

interface CheckChart {
  readonly title: string;
  readonly unit: string;
  readonly line: Line;
  readonly share: boolean;
  /** The check; null is the mean of all; absent for other lines. */
  readonly check?: string | null;
}

function chartsOf({ points, checks }: BehaviourAnswer): CheckChart[] {
  const column = (value: (point: BehaviourAnswer["points"][number]) => Num | null | undefined): Column => {
    const known = points.flatMap((point) => {
      const found = value(point);
      return found === null || found === undefined
        ? []
        : [{ iteration: point.iteration, value: Number(found), word: found }];
    });
    return columnOf({
      width: 1,
      from: known.map(({ iteration }) => iteration),
      mean: known.map((one) => (Number.isFinite(one.value) ? one.value : null)),
      nonFinite: known.flatMap((one, i) => (Number.isFinite(one.value) ? [] : [[i, 1, one.word] as const])),
    });
  };
  const estimate = (title: string, unit: string, check: string | null) => {
    const of = (point: BehaviourAnswer["points"][number]): Estimate | null | undefined =>
      check === null ? point.gold : point.checks[check];
    return {
      title,
      unit,
      check,
      share: true,
      line: {
        label: title,
        colour: "--hue",
        column: column((point) => of(point)?.mean),
        band: { low: column((point) => of(point)?.low), high: column((point) => of(point)?.high) },
      },
    };
  };
  const plain = (title: string, unit: string, of: Parameters<typeof column>[0]) => ({
    title,
    unit,
    share: unit !== "",
    line: { label: title, colour: "--hue", column: column(of) },
  });
  return [
    ...(checks.length > 1 ? [estimate("gold", "mean of the checks", null)] : []),
    ...checks.map((name) => estimate(visible(figureTitle(name)), "share", name)),
    plain("score", "", ({ score }) => score),
    plain("answers changed", "since the point before", ({ changed }) => changed),
    plain("consistency", "answers to one prompt alike", ({ consistency }) => consistency),
  ].filter(({ line }) => line.column.from.length > 0);
}
