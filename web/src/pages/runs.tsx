/** All runs of the workspace: which need the operator, how each is doing; to search, to organise, to select. */
import { isFile } from "../api.ts";
import { Command, Empty, Problem } from "../components/parts.tsx";
import { useKey } from "../keys.ts";
import { narrow } from "../narrow.ts";
import { go, hashOf, setQuery, view } from "../router.ts";
import { matches, orderOf, sorted, toggled, wordsOf } from "../state/run-list.ts";
import { useRunList } from "../state/use-run-list.ts";
import { trainingCommandOf } from "../state/workspace.ts";
import { ChosenBar, FilterBar, noFilter } from "./run-list/bar.tsx";
import { RunCards, RunTable } from "./run-list/rows.tsx";

export function RunsPage() {
  const { runs, error } = useRunList();
  const { query } = view.value;
  const order = orderOf(query.sort);
  const filter = {
    text: query.q ?? "",
    states: wordsOf(query.state),
    tags: wordsOf(query.tag),
    archived: query.archived === "1",
  };
  const shown = sorted(
    (runs ?? []).filter((run) => matches(run, filter)),
    order,
  );
  const chosen = wordsOf(query.chosen);
  const choose = (id: string) => setQuery({ chosen: toggled(chosen, id).join(","), at: id });
  const at = shown.find(({ id }) => id === query.at)?.id;
  const move = (step: number) => {
    const index = shown.findIndex(({ id }) => id === at);
    const next = shown[index < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, index + step))];
    if (next === undefined) return;
    setQuery({ at: next.id });
    focusOn(next.id);
  };
  useKey("j", "next run", () => move(1));
  useKey("k", "previous run", () => move(-1));
  useKey("ArrowDown", "next run", () => move(1));
  useKey("ArrowUp", "previous run", () => move(-1));
  useKey("Enter", "open the run", () => at !== undefined && go(["runs", at]));
  useKey(
    isFile ? undefined : "x",
    "choose the run to compare, or remove it from the choice",
    () => at !== undefined && choose(at),
  );
  useKey("e", "tags, note and archive of the run", () => setQuery({ edit: query.edit === at ? "" : at }));
  document.title = "Runs – Ballast";

  const Rows = narrow.value ? RunCards : RunTable;
  return (
    <div class="runs">
      <h1 class="unseen">Runs</h1>
      <Problem error={error} />
      {runs === null && error === null && <Empty>Reading the runs…</Empty>}
      {runs?.length === 0 && <FirstRun />}
      {runs !== null && runs.length > 0 && (
        <>
          <FilterBar runs={runs} shown={shown.length} query={query} order={order} />
          <ChosenBar chosen={chosen} />
          {shown.length === 0 ? (
            <Empty>
              {runs.every((run) => run.archived) ? "All runs are archived: h shows them." : "No run matches. "}
              <button type="button" onClick={() => setQuery(noFilter)}>
                Show all
              </button>
            </Empty>
          ) : (
            <Rows
              runs={shown}
              order={order}
              at={at}
              edited={query.edit}
              chosen={chosen}
              tags={query.tag}
              onChoose={choose}
            />
          )}
        </>
      )}
    </div>
  );
}

function FirstRun() {
  return (
    <section class="empty first-run" aria-label="no runs yet">
      <p>No runs yet. This trains a small help desk in three stages, in about three minutes on two cores:</p>
      <Command>{trainingCommandOf("demo")}</Command>
      <p>
        It appears here as it starts. <a href={hashOf(["new"])}>New run</a> begins one with your own objective, model
        and files; in a terminal:
      </p>
      <Command>{trainingCommandOf("run my.yaml")}</Command>
    </section>
  );
}

function focusOn(id: string): void {
  // The row may not be drawn yet.
  queueMicrotask(() => document.querySelector<HTMLElement>(`[data-run="${CSS.escape(id)}"] .run-link`)?.focus());
}
