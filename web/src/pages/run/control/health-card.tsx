/** Health: its number, its six parts with their history, and what lowered it, in sentences. */

import type { Num } from "../../../../../src/types/page.ts";
import { Chart } from "../../../components/chart.tsx";
import { Health, healthOf } from "../../../components/health.tsx";
import { Card, Empty } from "../../../components/parts.tsx";
import { figure, visible } from "../../../format.ts";
import { colourOf } from "../../../hues.ts";
import { useColumns } from "../../../state/use-run.ts";
import { HealthLine } from "./health-line.tsx";
import type { Steered } from "./use-control.ts";

const parts = ["update_size", "exploration", "gradient", "value_fit", "reward_integrity", "behaviour"] as const;
const keys = ["health/total", ...parts.map((part) => `health/${part}`)];

export function HealthCard({ control, data }: Steered) {
  useColumns(data.whole, "ppo", keys);
  const { health } = control;
  const drawn = data.whole.drawn.value;
  if (health === null) {
    return (
      <Card title="Health">
        <Empty>Health is measured from PPO's first iteration on.</Empty>
      </Card>
    );
  }
  return (
    <Card title="Health" aside={<Health health={health.total} />}>
      <Chart
        title="Total"
        unit="0 to 100, poor below 60"
        lines={[{ label: "", column: data.whole.column("ppo", "health/total"), colour: colourOf(data.id) }]}
        thresholds={[{ value: 60, says: "poor", tier: null }]}
        drawn={drawn}
        floor={0}
        ceiling={100}
        height={92}
        sync={`control ${data.id}`}
        file={`${data.id} health`}
      />
      <ul class="health-parts">
        {parts.map((part) => (
          <Part key={part} name={part.replace("_", " ")} value={health.parts[part]}>
            <HealthLine
              column={data.whole.column("ppo", `health/${part}`)}
              label={`${part.replace("_", " ")} over the run`}
            />
          </Part>
        ))}
      </ul>
      {health.lowered.length === 0 ? (
        <p class="quiet">Nothing lowers it.</p>
      ) : (
        <>
          <h3>What lowers it</h3>
          <ul class="lines">
            {health.lowered.map((sentence) => (
              <li key={sentence}>{visible(sentence)}</li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

interface PartProps {
  readonly name: string;
  readonly value: Num | undefined;
  readonly children: preact.ComponentChildren;
}

function Part({ name, value, children }: PartProps) {
  if (value === undefined) {
    return (
      <li>
        <span>{name}</span> <span class="quiet not-measured">not measured</span>
      </li>
    );
  }
  const { shape, word, tone } = healthOf(value);
  const share = Math.max(0, Math.min(100, Number(value) || 0));
  return (
    <li>
      <span>{name}</span>
      <span class="bar" aria-hidden="true">
        <span class={tone} style={{ width: `${share}%` }} />
      </span>
      <b class="number">{figure(typeof value === "number" ? Math.round(value) : value)}</b>
      <span class={`state ${tone}`}>
        <span aria-hidden="true">{shape}</span> {word}
      </span>
      {children}
    </li>
  );
}
