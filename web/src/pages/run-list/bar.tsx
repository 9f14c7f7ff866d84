/** The bar above the runs: the search, and the selected runs. */
import { useRef } from "preact/hooks";
import type { RunSummary, ShownState } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { Button, Command } from "../../components/parts.tsx";
import { stateShapes, visible } from "../../format.ts";
import { inksOf } from "../../hues.ts";
import { useKey } from "../../keys.ts";
import { narrow } from "../../narrow.ts";
import { go, setQuery } from "../../router.ts";
import { columns, isIn, type Order, toggled, wordsOf } from "../../state/run-list.ts";
import { commandOf, quoted } from "../../state/workspace.ts";

export interface FilterBarProps {
  readonly runs: readonly RunSummary[];
  readonly shown: number;
  readonly query: Readonly<Record<string, string>>;
  readonly order: Order;
}

export function FilterBar({ runs, shown, query, order }: FilterBarProps) {
  const search = useRef<HTMLInputElement>(null);
  useKey("/", "search", () => search.current?.focus());
  const states = wordsOf(query.state);
  const tags = wordsOf(query.tag);
  const archived = runs.filter((run) => run.archived).length;
  const visibleRuns = runs.filter((run) => !run.archived || query.archived === "1");
  const count = (state: string) => visibleRuns.filter((run) => isIn(run, state)).length;
  const names = (Object.keys(stateShapes) as ShownState[]).filter(
    (state) => count(state) > 0 || states.includes(state),
  );
  const known = [...new Set([...visibleRuns.flatMap((run) => run.tags), ...tags])].sort();
  const filtered = Boolean(query.q || query.state || query.tag);
  return (
    <search class="filter-bar">
      <label class="search">
        <span class="quiet">search</span>
        <input
          ref={search}
          type="search"
          value={query.q ?? ""}
          placeholder="run, objective, tag, note"
          onInput={({ currentTarget }) => setQuery({ q: currentTarget.value })}
          onKeyDown={({ key, currentTarget }) => key === "Escape" && currentTarget.blur()}
        />
        <kbd>/</kbd>
      </label>
      {(names.length > 1 || states.length > 0) && (
        <fieldset class="chips">
          <legend>state</legend>
          {(count("incident") > 0 || states.includes("incident")) && (
            <button
              type="button"
              class="chip bad"
              aria-pressed={states.includes("incident")}
              onClick={() => setQuery({ state: toggled(states, "incident").join(",") })}
            >
              <span aria-hidden="true">!</span> open incident <b>{count("incident")}</b>
            </button>
          )}
          {names.map((state) => (
            <button
              key={state}
              type="button"
              class={`chip ${stateShapes[state].tone}`}
              aria-pressed={states.includes(state)}
              onClick={() => setQuery({ state: toggled(states, state).join(",") })}
            >
              <span aria-hidden="true">{stateShapes[state].shape}</span> {stateShapes[state].word} <b>{count(state)}</b>
            </button>
          ))}
        </fieldset>
      )}
      {known.length > 0 && (
        <fieldset class="chips">
          <legend>tag</legend>
          {known.map((tag) => (
            <button
              key={tag}
              type="button"
              class="chip"
              aria-pressed={tags.includes(tag)}
              onClick={() => setQuery({ tag: toggled(tags, tag).join(",") })}
            >
              {visible(tag)} <b>{visibleRuns.filter((run) => run.tags.includes(tag)).length}</b>
            </button>
          ))}
        </fieldset>
      )}
      {narrow.value && <SortChooser order={order} />}
      {(archived > 0 || query.archived === "1") && (
        <Button
          shortcut="h"
          says="show or hide archived runs"
          pressed={query.archived === "1"}
          onPress={() => setQuery({ archived: query.archived === "1" ? "" : "1" })}
        >
          archived {archived}
        </Button>
      )}
      <span class="quiet" role="status">
        {shown === runs.length ? `${shown}` : `${shown} of ${runs.length}`} {runs.length === 1 ? "run" : "runs"}
      </span>
      {filtered && (
        <button type="button" class="ghost" onClick={() => setQuery(noFilter)}>
          show all
        </button>
      )}
    </search>
  );
}

export const noFilter = { q: "", state: "", tag: "" } as const;

/** Sorts cards; a table is sorted by its headings. */
function SortChooser({ order }: { readonly order: Order }) {
  return (
    <label>
      <span class="quiet">sort by </span>
      <select
        value={`${order.down ? "-" : ""}${order.by}`}
        onChange={({ currentTarget }) => setQuery({ sort: currentTarget.value })}
      >
        {Object.entries(columns).flatMap(([name, { says }]) => [
          <option key={name} value={name}>
            {says} ↑
          </option>,
          <option key={`-${name}`} value={`-${name}`}>
            {says} ↓
          </option>,
        ])}
      </select>
    </label>
  );
}

/** Runs selected for comparison, in their hues and letters. */
export function ChosenBar({ chosen }: { readonly chosen: readonly string[] }) {
  if (isFile || chosen.length === 0) return null;
  const few = chosen.length < 2;
  return (
    <section class="chosen-bar" aria-label="chosen to compare">
      <ul>
        {inksOf(chosen).map(({ id, letter, colour }) => (
          <li key={id} class="tag">
            <b style={{ color: `var(${colour})` }}>{letter}</b> {visible(id)}
            <button
              type="button"
              class="ghost"
              aria-label={`remove ${id} from the choice`}
              onClick={() => setQuery({ chosen: toggled(chosen, id).join(",") })}
            >
              ✕
            </button>
          </li>
        ))}
      </ul>
      <Button
        tone="main"
        shortcut="c"
        says="compare the chosen runs"
        disabled={few}
        onPress={() => go(["compare"], { runs: chosen.join(",") })}
      >
        Compare
      </Button>
      <button type="button" class="ghost" onClick={() => setQuery({ chosen: "" })}>
        choose none
      </button>
      {few ? (
        <span class="quiet">choose another one</span>
      ) : (
        <Command>{commandOf(`compare ${chosen.map(quoted).join(" ")}`)}</Command>
      )}
    </section>
  );
}
