/** The search among the samples of all iterations, and how its results are shown. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isFile } from "../../../api.ts";
import { Button } from "../../../components/parts.tsx";
import { useKey } from "../../../keys.ts";
import { setQuery } from "../../../router.ts";
import { filters, noSearch, type SamplesState, searches, sorts } from "./view-state.ts";

/** Milliseconds after the last keystroke before the server is asked. */
const pause = 250;

export function Controls({ state }: { readonly state: SamplesState }) {
  const { sort, descending, spaces, reference } = state;
  return (
    <div class="samples-controls">
      {!isFile && <Search state={state} />}
      <label>
        Sort by{" "}
        <select
          value={`${descending ? "-" : ""}${sort}`}
          onChange={(event) => setQuery({ sort: event.currentTarget.value })}
        >
          <option value="">{sorts[""]}</option>
          <option value="score">score, lowest first</option>
          <option value="-score">score, highest first</option>
          <option value="kl">KL, lowest first</option>
          <option value="-kl">KL, highest first</option>
        </select>
      </label>
      <Button
        shortcut="w"
        says="show white space"
        pressed={spaces}
        onPress={() => setQuery({ spaces: spaces ? "" : 1 })}
      >
        White space
      </Button>
      {!isFile && (
        <Button
          shortcut="r"
          says="the reference's answers beside the policy's"
          pressed={reference}
          onPress={() => setQuery({ beside: reference ? "" : "reference" })}
        >
          Reference beside
        </Button>
      )}
    </div>
  );
}

function Search({ state }: { readonly state: SamplesState }) {
  const { q, filter } = state;
  /** Text that has not been searched for yet; null shows the current search. */
  const typed = useSignal<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (typed.value === null) return;
    const later = setTimeout(() => {
      const text = typed.value ?? q;
      typed.value = null;
      setQuery({ q: text });
    }, pause);
    return () => clearTimeout(later);
  }, [typed.value]);
  useKey("/", "search the samples", () => field.current?.focus());
  return (
    <>
      <label>
        Search{" "}
        <input
          ref={field}
          type="search"
          placeholder="text of all iterations  ( / )"
          value={typed.value ?? q}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
          }}
        />
      </label>
      <label>
        Only{" "}
        <select value={filter ?? ""} onChange={(event) => setQuery({ filter: event.currentTarget.value })}>
          <option value="">all</option>
          {Object.entries(filters).map(([name, says]) => (
            <option key={name} value={name}>
              {says}
            </option>
          ))}
        </select>
      </label>
      {searches(state) && (
        <Button shortcut="b" says="back to one iteration" onPress={() => setQuery(noSearch)}>
          Back to one iteration
        </Button>
      )}
    </>
  );
}
