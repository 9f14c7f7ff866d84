/** Every point of the monitoring set as a table: the charts' data, to read or to copy. */
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { Estimate } from "../../../../../src/types/evaluation.ts";
import type { BehaviourAnswer, BehaviourPoint, Num } from "../../../../../src/types/page.ts";
import { Scroll } from "../../../components/scroll.tsx";
import { TableCopies } from "../../../components/table-copies.tsx";
import { figure, percent, visible } from "../../../format.ts";

export function PointTable({ answer: { points, checks } }: { readonly answer: BehaviourAnswer }) {
  const names = [...checks.map((name) => visible(figureTitle(name))), "gold"];
  const others = ["score", "KL, nats/token", "changed", "consistency"];
  const columns = ["iteration", ...names, ...others];
  const estimates = (point: BehaviourPoint) => [...checks.map((name) => point.checks[name]), point.gold];
  const number = (value: Num | null) => value && Number(value);
  const cells = (point: BehaviourPoint): string[] => [
    String(point.iteration),
    ...estimates(point).map(estimateText),
    figure(point.score, 3),
    figure(point.kl, 3),
    percent(point.changed),
    percent(point.consistency),
  ];
  const numbers = () => ({
    columns: ["iteration", ...names.flatMap((name) => [name, `${name} low`, `${name} high`]), ...others],
    rows: points.map((point) => [
      point.iteration,
      ...estimates(point).flatMap((one) => [one?.mean, one?.low, one?.high]),
      ...[point.score, point.kl, point.changed, point.consistency].map(number),
    ]),
  });
  return (
    <details class="point-table">
      <summary>The same as a table</summary>
      <TableCopies title="evaluation set" table={() => ({ columns, rows: points.map(cells) })} numbers={numbers} />
      <Scroll label="the evaluation set by iteration">
        <table>
          <thead>
            <tr>
              {columns.map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {points.map((point) => (
              <tr key={point.iteration}>
                {cells(point).map((text, i) => (
                  <td key={columns[i]} class="number">
                    {text}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}

function estimateText(estimate: Estimate | null | undefined): string {
  if (estimate === null || estimate === undefined) return "–";
  return `${percent(estimate.mean)} [${percent(estimate.low)}, ${percent(estimate.high)}]`;
}
