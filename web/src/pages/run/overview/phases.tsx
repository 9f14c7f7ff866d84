/** How one iteration's time was spent: phases as one bar, and as a table. */
import type { SeriesAnswer } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Card, Problem } from "../../../components/parts.tsx";
import { figure, percent } from "../../../format.ts";
import type { RunData } from "../../../state/run-data.ts";
import { useAnswer } from "../../../state/use-answer.ts";
import { stepWord } from "./strip.tsx";

export interface PhasesProps {
  readonly data: RunData;
  readonly stage: Stage;
  /** Keys of the stage. */
  readonly keys: readonly string[];
  /** The iteration. */
  readonly at: number;
}

export interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly share: number;
}

const total = "time/total_s";
/** Seconds, but not rates per second. */
const isPhase = (key: string) => /^time\/.*(?<!per)_s$/.test(key);

export function Phases({ data, stage, keys, at }: PhasesProps) {
  const phaseKeys = keys.filter(isPhase);
  // A single iteration: in buckets, occasional measurements would have a different mean.
  const path = `/api/runs/${encodeURIComponent(data.id)}/series`;
  const query = { stage, keys: phaseKeys.join(","), from: at, to: at + 1, points: 1 };
  const { answer, error } = useAnswer<SeriesAnswer>(phaseKeys.length === 0 ? null : path, query);
  if (answer === null) return <Problem error={error} />;
  const found = phasesOf(answer.series, at);
  if (found === null) return null;
  const { phases, seconds, first, last } = found;
  const which = first === last ? `${stepWord(stage)} ${first}` : `means of ${stepWord(stage)}s ${first} to ${last}`;
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

/** Phases, the longest first; time without a phase is `other`. A file has buckets: the one with the iteration is used. */
export function phasesOf(series: SeriesAnswer["series"], at: number) {
  const whole = series[total];
  const index = whole?.from.findIndex((from) => from <= at && at < from + whole.width) ?? -1;
  const seconds = whole?.mean[index] ?? null;
  if (whole === undefined || seconds === null) return null;
  const first = whole.from[index]!;
  const parts = Object.entries(series).flatMap(([key, { from, mean }]) => {
    const value = mean[from.indexOf(first)] ?? null;
    return key === total || !isPhase(key) || value === null
      ? []
      : [{ name: key.slice(5, -2).replaceAll("_", " "), seconds: value }];
  });
  const rest = seconds - parts.reduce((sum, part) => sum + part.seconds, 0);
  const all = rest > 0 ? [...parts, { name: "other", seconds: rest }] : parts;
  const sum = all.reduce((so, part) => so + part.seconds, 0);
  const phases = all
    .map((part): Phase => ({ ...part, share: sum > 0 ? part.seconds / sum : 0 }))
    .sort((a, b) => b.seconds - a.seconds);
  return { phases, seconds, first, last: first + whole.width - 1 };
}
