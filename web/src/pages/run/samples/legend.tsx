/** The meaning of the tokens' colours: the ends of the scale, its zero, and a switch for the coloured number. */
import { Switch } from "../../../components/switch.tsx";
import { figure } from "../../../format.ts";
import { setQuery } from "../../../router.ts";
import { colours, levelClass, meaning, type Scale, steps } from "./scale.ts";

export function Legend({ scale }: { readonly scale: Scale }) {
  const { low, high, unit } = meaning[scale.colour];
  const highest = high === null ? 0 : steps;
  const levels = Array.from({ length: steps + highest + 1 }, (_, i) => i - steps);
  return (
    <div class="scale">
      <Switch
        label="colour of tokens"
        options={colours.map((value) => ({ value, says: meaning[value].says }))}
        value={scale.colour}
        onChange={(colour) => setQuery({ colour: colour === colours[0] ? undefined : colour })}
        shortcut="c"
      />
      <span class="scale-bar">
        <span>
          <b>≤ {figure(-scale.bound, 2)}</b> {low}
        </span>
        <span class="scale-steps" aria-hidden="true">
          {levels.map((level) => (
            <span key={level} class={levelClass(level)}>
              {level === 0 && high !== null ? "0" : "\u00a0\u00a0\u00a0"}
            </span>
          ))}
        </span>
        <span>
          {high === null ? (
            <>
              <b>0</b> certain
            </>
          ) : (
            <>
              <b>≥ {figure(scale.bound, 2)}</b> {high}
            </>
          )}
        </span>
        {unit !== "" && <span class="quiet">({unit})</span>}
      </span>
    </div>
  );
}
