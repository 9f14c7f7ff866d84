/** Reward against gold, and reward against KL: what was gained, and at what price. */
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { BehaviourPoint } from "../../../../../src/types/page.ts";
import { Card } from "../../../components/parts.tsx";
import { figure, percent, visible } from "../../../format.ts";
import { type Parting, partings } from "./parting.ts";
import { PathPlot } from "./path-plot.tsx";

export function Tradeoffs({ points }: { readonly points: readonly BehaviourPoint[] }) {
  const parted = partings(points);
  // Show the check that diverged: the mean of all may hide it.
  const shown = parted.at(-1)?.check ?? null;
  const goldOf = ({ gold, checks }: BehaviourPoint) => (shown === null ? gold : (checks[shown] ?? null));
  const marked = new Set(parted.flatMap(({ check, iteration }) => (check === shown ? [iteration] : [])));
  const both = points.filter((point) => goldOf(point) !== null && point.score !== null);
  const withKl = points.filter(({ kl, score }) => kl !== null && score !== null);
  return (
    <div class="tradeoffs">
      {both.length > 0 && (
        <Card title="Reward against gold">
          <Verdict points={both} parted={parted} />
          <PathPlot
            title="reward against gold"
            xLabel="score"
            yLabel={`${shown === null ? "gold" : visible(figureTitle(shown))}, 95% interval`}
            yText={(value) => percent(value, 0)}
            points={both.map((point) => {
              const { mean, low, high } = goldOf(point)!;
              const { iteration, score } = point;
              return { iteration, x: Number(score), y: mean, low, high, marked: marked.has(iteration) };
            })}
          />
        </Card>
      )}
      {withKl.length > 0 && (
        <Card title="Reward against KL">
          <p class="quiet">What each nat from the reference bought; numbers are iterations.</p>
          <PathPlot
            title="reward against KL"
            xLabel="KL to the reference, nats/token"
            yLabel="score"
            points={withKl.map(({ iteration, kl, score }) => ({ iteration, x: Number(kl), y: Number(score) }))}
          />
        </Card>
      )}
    </div>
  );
}

function Verdict({
  points,
  parted,
}: {
  readonly points: readonly BehaviourPoint[];
  readonly parted: readonly Parting[];
}) {
  // The newest divergence of each check.
  const last = [...new Map(parted.map((one) => [one.check, one])).values()];
  if (last.length === 0)
    return (
      <p>
        <span class="good">✓ not parted</span>{" "}
        <span class="quiet">No check is clearly below its best while the score is higher than it was there.</span>
      </p>
    );
  const newest = points.at(-1)!.iteration;
  const going = last.some(({ iteration }) => iteration === newest);
  const scoreAt = (iteration: number) => figure(points.find((point) => point.iteration === iteration)?.score, 3);
  return (
    <p>
      <span class={going ? "bad" : "warn"}>▲ {going ? "parted" : "were parted"}</span>:{" "}
      {last.map(({ check, iteration, now, best, was }) => (
        <span key={check}>
          <b>{check === null ? "gold" : visible(figureTitle(check))}</b> went from {percent(was.mean)} at iteration{" "}
          {best} to {percent(now.mean)} at {iteration}, the score from {scoreAt(best)} to {scoreAt(iteration)}.{" "}
        </span>
      ))}
      The reward pays for something else.
      {going && " Look at those answers below; roll back, fix the reward, or raise the KL coefficient."}
    </p>
  );
}
