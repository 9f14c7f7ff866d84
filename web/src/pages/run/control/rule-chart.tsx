/** A rule's signal, with the threshold if it is on the plain value, and marks where the rule fired. */
import { useMemo } from "preact/hooks";
import type { PageRule } from "../../../../../src/types/page.ts";
import { Chart } from "../../../components/chart.tsx";
import { visible } from "../../../format.ts";
import { colourOf } from "../../../hues.ts";
import { setQuery, view } from "../../../router.ts";
import { useColumns } from "../../../state/use-run.ts";
import { marksOf } from "../overview/event-words.ts";
import { stateOfQuery } from "../overview/view-state.ts";
import { hairlinesOf } from "./hairlines.ts";
import type { Steered } from "./use-control.ts";

interface RuleChartProps extends Steered {
  readonly rule: PageRule;
}

export function RuleChart({ rule, data }: RuleChartProps) {
  const { signal, statistic, condition, source, id } = rule;
  const keys = useMemo(() => [signal], [signal]);
  useColumns(data, "ppo", keys);
  const drawn = data.drawn.value;
  const events = data.events.value;
  const marks = useMemo(
    () =>
      marksOf(
        events.filter((event) => event.rule === id && (event.kind === "alert" || event.kind === "intervention")),
        { stage: "ppo", runId: data.id },
      ).map((mark) => ({ ...mark, quiet: false })),
    [events, id, data.id],
  );
  const { from, to, it } = stateOfQuery(view.value.query);
  // The iteration in which a run stopped has no metrics yet, but its mark is the one to see.
  const lastMark = marks.at(-1)?.iteration ?? 0;
  const lastValue = data.column("ppo", signal).from.at(-1) ?? 0;
  const end = to ?? (lastMark > lastValue ? lastMark + 1 : undefined);
  const isRecorded = data.answer.value?.keys.some((one) => one.stage === "ppo" && one.key === signal) ?? false;
  return (
    <div class="rule-chart">
      {isRecorded ? (
        <Chart
          title={visible(rule.says)}
          unit={visible(signal)}
          lines={[{ label: "", column: data.column("ppo", signal), colour: colourOf(data.id) }]}
          thresholds={hairlinesOf([rule])}
          reach
          {...{ drawn, marks, from }}
          to={end}
          chosen={it}
          height={170}
          onZoom={(range) => setQuery({ from: range?.from, to: range?.to }, { replace: false })}
          onPick={(iteration) => setQuery({ it: iteration ?? undefined })}
          sync={`control ${data.id}`}
          file={`${data.id} ${id}`}
        />
      ) : (
        <p>
          <code>{visible(signal)}</code>{" "}
          {signal.startsWith("step/")
            ? "is read before each step of an update and not stored by iteration, so it has no curve."
            : "has not been measured in this run."}
        </p>
      )}
      {statistic !== "value" && (
        <p>
          The threshold has no line: it applies not to the value but to its {visible(statistic.replaceAll("_", " "))} (
          {visible(condition)}).
        </p>
      )}
      <p class="quiet">Where its numbers come from: {visible(source)}</p>
    </div>
  );
}
