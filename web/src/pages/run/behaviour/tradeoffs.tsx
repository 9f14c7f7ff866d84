/** Reward against gold, and reward against KL: what was gained, at what price. */
import type { BehaviourPoint } from "../../../../../src/types/page.ts";
import { Card } from "../../../components/parts.tsx";
import { figure, percent } from "../../../format.ts";
import { type Parting, partings } from "./parting.ts";
import { PathPlot } from "./path-plot.tsx";

export function Tradeoffs({ points }: { readonly points: readonly BehaviourPoint[] }) {
  const parted = partings(points);
  const marked = new Set(parted.map(({ iteration }) => iteration));
  const both = points.filter(({ gold, score }) => gold !== null && score !== null);
  const withKl = points.filter(({ kl, score }) => kl !== null && score !== null);
  return (
    <div class="tradeoffs">
      {both.length > 0 && (
        <Card title="Reward against gold">
          <Verdict points={both} parted={parted} />
          <PathPlot
            title="reward against gold"
            xLabel="score"
            yLabel="gold, 95% interval"
            yText={(value) => percent(value, 0)}
            points={both.map(({ iteration, gold, score }) => ({
              iteration,
              x: Number(score),
              y: gold!.mean,
              low: gold!.low,
              high: gold!.high,
              marked: marked.has(iteration),
            }))}
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
  const last = parted.at(-1);
  if (last === undefined)
    return (
      <p>
        <span class="good">✓ not parted</span>{" "}
        <span class="quiet">
          At no point is gold clearly below its best while the score is above what it was there.
        </span>
      </p>
    );
  const of = (iteration: number) => points.find((point) => point.iteration === iteration)!;
  const [best, now] = [of(last.best), of(last.iteration)];
  const going = points.at(-1) === now;
  return (
    <p>
      <span class={going ? "bad" : "warn"}>▲ {going ? "parted" : "were parted"}</span> Since iteration {best.iteration}{" "}
      the score went from {figure(best.score, 3)} to {figure(now.score, 3)} at iteration {now.iteration}, and gold from{" "}
      {percent(best.gold!.mean)} to {percent(now.gold!.mean)}: the reward is paid for something else.
      {going && " Roll back to there, or raise the KL coefficient."}
    </p>
  );
}
