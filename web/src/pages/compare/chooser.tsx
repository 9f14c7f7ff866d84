/** The runs compared, in the order of the address, each with its letter and hue. */
import type { RunSummary } from "../../../../src/types/page.ts";
import { Health } from "../../components/health.tsx";
import { State } from "../../components/parts.tsx";
import { visible } from "../../format.ts";
import type { RunInk } from "../../hues.ts";
import { hashOf, setQuery } from "../../router.ts";

export interface ChooserProps {
  readonly inks: readonly RunInk[];
  /** All runs of the workspace. */
  readonly runs: readonly RunSummary[];
}

export function Chooser({ inks, runs }: ChooserProps) {
  const ids = inks.map(({ id }) => id);
  const choose = (next: readonly string[]) => setQuery({ runs: next.join(",") }, { replace: false });
  return (
    <ul class="compared" aria-label="compared runs">
      {inks.map((ink, i) => {
        const run = runs.find(({ id }) => id === ink.id);
        return (
          <li key={ink.id} class="card">
            <RunName ink={ink} link />
            {run && <State state={run.state} />}
            {run && run.health !== null && <Health health={run.health} />}
            {i > 0 && (
              <button
                type="button"
                class="ghost"
                aria-label={`first: compare the others with ${ink.id}`}
                title="the others are compared with the first"
                onClick={() => choose([ink.id, ...ids.filter((id) => id !== ink.id)])}
              >
                first
              </button>
            )}
            <button
              type="button"
              class="ghost"
              aria-label={`leave ${ink.id} out`}
              onClick={() => choose(ids.filter((id) => id !== ink.id))}
            >
              ✕
            </button>
          </li>
        );
      })}
      <li>
        <AddRun
          runs={runs.filter(({ id, archived }) => !archived && !ids.includes(id))}
          onAdd={(id) => choose([...ids, id])}
        />
      </li>
    </ul>
  );
}

/** A run's name in its hue: `A demo-1`. */
export function RunName({
  ink: { id, letter, colour, dashed },
  link = false,
}: {
  readonly ink: RunInk;
  readonly link?: boolean;
}) {
  return (
    <span class="run-name">
      <span class={dashed ? "swatch dashed" : "swatch"} style={{ color: `var(${colour})` }} />
      <b style={{ color: `var(${colour})` }}>{letter}</b>{" "}
      {link ? <a href={hashOf(["runs", id])}>{visible(id)}</a> : visible(id)}
    </span>
  );
}

function AddRun({ runs, onAdd }: { readonly runs: readonly RunSummary[]; readonly onAdd: (id: string) => void }) {
  if (runs.length === 0) return null;
  const add = (input: HTMLInputElement) => {
    if (!runs.some(({ id }) => id === input.value)) return;
    onAdd(input.value);
    input.value = "";
  };
  return (
    <label>
      <span class="quiet">add a run </span>
      <input
        list="runs-to-add"
        size={16}
        onInput={({ currentTarget }) => add(currentTarget)}
        onKeyDown={({ key, currentTarget }) => key === "Enter" && add(currentTarget)}
      />
      <datalist id="runs-to-add">
        {runs.map(({ id, state }) => (
          <option key={id} value={id}>
            {state}
          </option>
        ))}
      </datalist>
    </label>
  );
}
