/** The results of groups of runs: each figure's mean over the group's runs, with the lowest and the highest. */
import { figureOrder, figureTitle } from "../../../../src/signals/figure-titles.ts";
import type { CompareAnswer } from "../../../../src/types/page.ts";
import type { Interval } from "../../components/intervals.tsx";
import { Card, Empty } from "../../components/parts.tsx";
import { Scroll } from "../../components/scroll.tsx";
import { TableCopies } from "../../components/table-copies.tsx";
import { figure, percent, plural, visible } from "../../format.ts";
import { RunName } from "./chooser.tsx";
import { FigureIntervals } from "./figure-intervals.tsx";
import { meanOf, type RunGroup } from "./groups.ts";

export interface SeedsProps {
  readonly groups: readonly RunGroup[];
  readonly results: CompareAnswer["results"];
}

interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** The spread of a figure after PPO over the evaluated runs of a group; null if there are none. */
export function spreadOf(group: RunGroup, results: CompareAnswer["results"], name: string): Spread | null {
  const found = results.flatMap(({ run, evaluation }) => {
    const value = group.ids.includes(run) ? evaluation?.after.figures[name]?.mean : undefined;
    return value === undefined ? [] : [value];
  });
  if (found.length === 0) return null;
  return { mean: meanOf(found), low: Math.min(...found), high: Math.max(...found), count: found.length };
}

export function Seeds({ groups, results }: SeedsProps) {
  const names = figureOrder(results.flatMap(({ evaluation }) => Object.keys(evaluation?.after.figures ?? {})));
  const isShare = (name: string) => results.some(({ evaluation }) => evaluation?.shares.includes(name));
  const show = (name: string) => (value: number) => (isShare(name) ? percent(value) : figure(value, 3));
  const words = (spread: Spread | null, name: string) => {
    if (spread === null) return "–";
    const text = show(name);
    return spread.count === 1
      ? `${text(spread.mean)} (one run)`
      : `${text(spread.mean)} (${text(spread.low)} to ${text(spread.high)}, ${spread.count} runs)`;
  };
  const table = () => ({
    columns: ["figure after PPO", ...groups.map(({ ink, ids }) => `${ink.letter}: ${ids.join(", ")}`)],
    rows: names.map((name) => [
      figureTitle(name),
      ...groups.map((group) => words(spreadOf(group, results, name), name)),
    ]),
  });
  return (
    <Card title="Groups after PPO" aside={names.length > 0 && <TableCopies title="groups" table={table} />}>
      {names.length === 0 ? (
        <Empty>None of these runs has been evaluated yet: evaluation follows PPO.</Empty>
      ) : (
        <Scroll label="groups after PPO">
          <table class="results">
            <thead>
              <tr>
                <th>figure</th>
                {groups.map(({ ink, ids }) => (
                  <th key={ink.letter}>
                    <RunName ink={{ ...ink, id: plural(ids.length, "run") }} />
                  </th>
                ))}
                <th class="picture">mean; line: lowest to highest run</th>
              </tr>
            </thead>
            <tbody>
              {names.map((name) => (
                <tr key={name}>
                  <th scope="row">{visible(figureTitle(name))}</th>
                  {groups.map((group) => (
                    <td key={group.ink.letter}>{words(spreadOf(group, results, name), name)}</td>
                  ))}
                  <td class="picture">
                    <Picture name={name} groups={groups} results={results} isShare={isShare(name)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  );
}

function Picture({
  name,
  groups,
  results,
  isShare,
}: SeedsProps & { readonly name: string; readonly isShare: boolean }) {
  const items = groups.flatMap((group): Interval[] => {
    const spread = spreadOf(group, results, name);
    return spread === null ? [] : [{ ...spread, shape: "dot", colour: group.ink.colour, label: group.ink.letter }];
  });
  return <FigureIntervals items={items} isShare={isShare} />;
}
