/** Where the time of one iteration went: phases as one bar, and as a table. */
import type { Stage } from "../../../../../src/types/records.ts";
import { Card } from "../../../components/parts.tsx";
import { figure, percent } from "../../../format.ts";
import type { Column } from "../../../state/column.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useColumns } from "../../../state/use-run.ts";
import { stepWord } from "./strip.tsx";

export interface PhasesProps {
  readonly data: RunData;
  readonly stage: Stage;
  /** Keys of the stage. */
  readonly keys: readonly string[];
  readonly it: number | null;
}

export interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly share: number;
}

const total = "time/total_s";

export function Phases({ data, stage, keys, it }: PhasesProps) {
  const phaseKeys = keys.filter((key) => /^time\/.*(?<!per)_s$/.test(key));
  useColumns(data.whole, stage, phaseKeys);
  void data.whole.drawn.value;
  const columns = new Map(phaseKeys.map((key) => [key, data.whole.column(stage, key)]));
  const found = phasesOf(columns, it);
  if (found === null) return null;
  const { phases, seconds, first, last } = found;
  const which = first === last ? `${stepWord(stage)} ${first}` : `mean of ${stepWord(stage)}s ${first} to ${last}`;
  return (
    <Card
      title="Phases of time"
      aside={
        <span class="quiet">
          {which}: {figure(seconds, 3)} s
        </span>
      }
    >
      <div class="phase-bar" aria-hidden="true">
        {phases.map(({ name, share }, i) => (
          <span
            key={name}
            style={{ flexGrow: share, opacity: 1 - 0.7 * (i / phases.length) }}
            title={`${name} ${percent(share)}`}
          />
        ))}
      </div>
      <div class="scroll">
        <table class="tight">
          <thead>
            <tr>
              <th>phase</th>
              <th class="number">seconds</th>
              <th class="number">share</th>
            </tr>
          </thead>
          <tbody>
            {phases.map(({ name, seconds: own, share }, i) => (
              <tr key={name}>
                <td>
                  <span class="phase-swatch" style={{ opacity: 1 - 0.7 * (i / phases.length) }} /> {name}
                </td>
                <td class="number">{figure(own, 3)}</td>
                <td class="number">{percent(share)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** Of the chosen iteration, or of the newest that has a total; what no phase has is `other`. Longest first. */
export function phasesOf(columns: ReadonlyMap<string, Column>, it: number | null) {
  const whole = columns.get(total);
  const index = whole?.from.findLastIndex((from, i) => (it === null || from <= it) && whole.mean[i] !== null) ?? -1;
  if (whole === undefined || index < 0) return null;
  const first = whole.from[index]!;
  const seconds = whole.mean[index]!;
  const parts = [...columns].flatMap(([key, column]) => {
    const i = column.from.indexOf(first);
    const value = i < 0 ? null : column.mean[i]!;
    return key === total || value === null ? [] : [{ name: key.slice(5, -2).replaceAll("_", " "), seconds: value }];
  });
  const rest = seconds - parts.reduce((sum, part) => sum + part.seconds, 0);
  const all = rest > 0 ? [...parts, { name: "other", seconds: rest }] : parts;
  const sum = all.reduce((so, part) => so + part.seconds, 0);
  const phases = all
    .map((part): Phase => ({ ...part, share: sum > 0 ? part.seconds / sum : 0 }))
    .sort((a, b) => b.seconds - a.seconds);
  return { phases, seconds, first, last: first + whole.width - 1 };
}
