/** The monitoring set if its answers are not recorded: figures from an earlier version, or how to get them. */
import { useMemo } from "preact/hooks";
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { RunAnswer } from "../../../../../src/types/page.ts";
import { Chart } from "../../../components/chart.tsx";
import { Card, Empty } from "../../../components/parts.tsx";
import { visible } from "../../../format.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useColumns } from "../../../state/use-run.ts";

export interface RecordedChecksProps {
  readonly data: RunData;
  readonly answer: RunAnswer;
}

export function RecordedChecks({ data, answer }: RecordedChecksProps) {
  const list = answer.keys
    .flatMap(({ stage, key }) => (stage === "ppo" && key.startsWith("monitor/") ? [key] : []))
    .join();
  const keys = useMemo(() => (list === "" ? [] : list.split(",")), [list]);
  useColumns(data, "ppo", keys);
  if (keys.length === 0) return <HowTo answer={answer} />;
  return (
    <Card title="The evaluation set over iterations">
      <p class="quiet">
        This run recorded figures of its monitoring set, but not the answers: they are kept from version 0.3 on. So
        there are no intervals, and nothing to compare.
      </p>
      <div class="checks">
        {keys.map((key) => {
          const name = key.slice("monitor/".length);
          const title = visible(figureTitle(name));
          return (
            <Chart
              key={key}
              title={title}
              lines={[{ label: title, colour: "--hue", column: data.column("ppo", key) }]}
              drawn={data.drawn.value}
              {...(name !== "score" && { floor: 0, ceiling: 1, unit: "share" })}
              sync="behaviour"
              height={130}
              file={`${data.id} ${key}`}
            />
          );
        })}
      </div>
    </Card>
  );
}

function HowTo({ answer: { config, stages } }: { readonly answer: RunAnswer }) {
  const { control, demo } = config as {
    readonly control?: { readonly monitor?: { readonly every?: number; readonly prompts?: unknown } };
    readonly demo?: unknown;
  };
  const { every, prompts } = control?.monitor ?? {};
  const done = stages.find(({ stage }) => stage === "ppo")?.done ?? 0;
  if (every !== 0 && (prompts !== undefined || (demo !== undefined && demo !== null)) && done === 0)
    return (
      <Empty>
        The monitoring set is answered for the first time in PPO's first iteration: its checks show here then.
      </Empty>
    );
  return (
    <Empty>
      This run has no monitoring set. Give the next one a JSONL file of prompts that neither training nor the report
      uses, and say how often they are answered: <code>control.monitor.prompts.path</code> and{" "}
      <code>control.monitor.every</code> in docs/config.md.
    </Empty>
  );
}
