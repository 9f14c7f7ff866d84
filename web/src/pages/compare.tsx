/** Several runs side by side: their curves in the same charts, the settings that differ, and the results. */
import { useEffect } from "preact/hooks";
import type { CompareAnswer } from "../../../src/types/page.ts";
import { Command, Empty, Problem } from "../components/parts.tsx";
import { inksOf } from "../hues.ts";
import { hashOf, view } from "../router.ts";
import { wordsOf } from "../state/run-list.ts";
import { useAnswer } from "../state/use-answer.ts";
import { useRunList } from "../state/use-run-list.ts";
import { useRunsData } from "../state/use-runs.ts";
import { commandOf, quoted, trainingCommandOf } from "../state/workspace.ts";
import { Chooser } from "./compare/chooser.tsx";
import { Curves } from "./compare/curves.tsx";
import { countDifferences } from "./compare/differences.ts";
import { GroupBar } from "./compare/group-bar.tsx";
import {
  betweenGroups,
  groupings,
  groupsByHand,
  groupsBySeed,
  inksInGroups,
  isGroupedByDefault,
  runGroups,
} from "./compare/groups.ts";
import { Results } from "./compare/results.tsx";
import { Seeds } from "./compare/seeds.tsx";
import { Settings, VerdictLine } from "./compare/settings.tsx";

export function ComparePage() {
  const { query } = view.value;
  const ids = [...new Set(wordsOf(query.runs))];
  const list = useRunList();
  // A new state may bring a new evaluation.
  const states = list.runs?.filter(({ id }) => ids.includes(id)).map(({ id, state }) => `${id} ${state}`);
  const asked = useAnswer<CompareAnswer>(
    ids.length === 0 ? null : "/api/compare",
    { runs: ids.join(",") },
    states?.join(),
  );
  const data = useRunsData(ids);
  useEffect(() => {
    document.title = ids.length === 0 ? "Compare – Ballast" : `${ids.join(", ")} – Ballast`;
  }, [query.runs]);

  // The curves do not need this answer, which requires the runs' folders. While the next answer is pending, the previous one is for different runs.
  const answer = asked.answer?.runs.map(({ id }) => id).join() === ids.join() ? asked.answer : null;
  const differences = answer && countDifferences(answer.settings);
  const bySeed = answer === null ? ids.map((_, i) => i) : groupsBySeed(answer.settings, ids.length);
  const asks = groupings.find((one) => one === query.group);
  const grouping = asks ?? (isGroupedByDefault(bySeed) ? "seed" : "each");
  const numbers =
    grouping === "seed"
      ? bySeed
      : grouping === "hand"
        ? groupsByHand(wordsOf(query.hand), ids.length)
        : ids.map((_, i) => i);
  const groups = runGroups(inksOf(ids), numbers);
  const inks = inksInGroups(inksOf(ids), groups);
  const isGrouped = groups.length < ids.length;
  return (
    <div class="compare">
      <h1 class="unseen">Compare</h1>
      <Problem error={asked.error ?? list.error} />
      {list.runs?.length === 0 ? (
        <Empty>
          There are no runs to compare yet. <Command>{trainingCommandOf("demo")}</Command> makes the first.
        </Empty>
      ) : (
        <Chooser inks={inks} runs={list.runs ?? []} />
      )}
      {ids.length === 0 && list.runs !== null && list.runs.length > 0 && (
        <Empty>
          Add runs above, or choose them among <a href={hashOf(["runs"])}>all runs</a> (x) and compare them (c).
        </Empty>
      )}
      {ids.length === 1 && <p class="quiet">Only one run: add another to compare it with.</p>}
      {ids.length > 1 && answer && differences && (
        <>
          <GroupBar inks={inks} grouping={grouping} numbers={numbers} />
          {!isGrouped ? (
            <VerdictLine differences={differences} inks={inks} />
          ) : groups.length === 1 ? (
            <p class="verdict quiet">One group of {ids.length} runs: the band is what chance makes of it.</p>
          ) : (
            <VerdictLine
              differences={countDifferences(betweenGroups(answer.settings, numbers))}
              inks={groups.map(({ ink }) => ink)}
              runs={groups.map((group) => group.ids.length)}
            />
          )}
        </>
      )}
      {ids.length > 0 && <Curves runs={data} groups={groups} query={query} />}
      {answer && differences && (
        <>
          <div class="compare-tables">
            {isGrouped && <Seeds groups={groups} results={answer.results} />}
            {ids.length > 1 && <Settings differences={differences} inks={inks} />}
            {isGrouped ? (
              <details class="each-run">
                <summary>Each run before and after PPO</summary>
                <Results results={answer.results} inks={inks} />
              </details>
            ) : (
              <Results results={answer.results} inks={inks} />
            )}
          </div>
          {ids.length > 1 && (
            <p class="quiet">
              The same in a terminal: <Command>{commandOf(`compare ${ids.map(quoted).join(" ")}`)}</Command>
            </p>
          )}
        </>
      )}
    </div>
  );
}
