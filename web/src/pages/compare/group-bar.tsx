/** How the compared runs are grouped, and the form that groups them by hand. */
import { Switch } from "../../components/switch.tsx";
import type { RunInk } from "../../hues.ts";
import { letterOf } from "../../hues.ts";
import { setQuery } from "../../router.ts";
import { RunName } from "./chooser.tsx";
import type { Grouping } from "./groups.ts";

export interface GroupBarProps {
  readonly inks: readonly RunInk[];
  readonly grouping: Grouping;
  /** Each run's group. */
  readonly numbers: readonly number[];
}

export function GroupBar({ inks, grouping, numbers }: GroupBarProps) {
  const byHand = (next: readonly number[]) => setQuery({ group: "hand", hand: next.join(",") });
  return (
    <div class="group-bar">
      <Switch
        label="lines"
        shortcut="n"
        value={grouping}
        options={[
          { value: "each", says: "each run" },
          { value: "seed", says: "seeds grouped" },
          { value: "hand", says: "grouped by hand" },
        ]}
        onChange={(next) => (next === "hand" ? byHand(numbers) : setQuery({ group: next, hand: "" }))}
      />
      {grouping === "hand" && (
        <fieldset class="by-hand">
          <legend class="unseen">the group of each run</legend>
          {inks.map((ink, i) => (
            <label key={ink.id}>
              <RunName ink={ink} />{" "}
              <select
                aria-label={`group of ${ink.id}`}
                value={String(numbers[i])}
                onChange={({ currentTarget }) =>
                  byHand(numbers.map((own, j) => (j === i ? Number(currentTarget.value) : own)))
                }
              >
                {inks.map((_, place) => (
                  <option key={place} value={String(place)}>
                    group {letterOf(place)}
                  </option>
                ))}
              </select>
            </label>
          ))}
        </fieldset>
      )}
    </div>
  );
}
