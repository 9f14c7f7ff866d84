/** What the colours of the tokens mean: the ends of the scale, its zero, and a switch for what is coloured. */
import { Button } from "../../../components/parts.tsx";
import { figure } from "../../../format.ts";
import { setQuery } from "../../../router.ts";
import { type Colour, colours, levelClass, meaning, type Scale, steps } from "./scale.ts";

export function Legend({ scale }: { readonly scale: Scale }) {
  const { low, high, unit } = meaning[scale.colour];
  const highest = high === null ? 0 : steps;
  const levels = Array.from({ length: steps + highest + 1 }, (_, i) => i - steps);
  return (
    <div class="scale">
      <Switch colour={scale.colour} />
      <span class="scale-bar">
        <span>
          <b>≤ {figure(-scale.bound, 2)}</b> {low}
        </span>
        <span class="scale-steps" aria-hidden="true">
          {levels.map((level) => (
            <span key={level} class={levelClass(level)}>
              {level === 0 ? "0" : "\u00a0\u00a0\u00a0"}
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

function Switch({ colour }: { readonly colour: Colour }) {
  const next = colours[(colours.indexOf(colour) + 1) % colours.length]!;
  return (
    <fieldset class="switch">
      <legend class="unseen">colour of tokens</legend>
      {colours.map((one) => (
        <Button
          key={one}
          pressed={one === colour}
          onPress={() => setQuery({ colour: one === colours[0] ? undefined : one })}
          {...(one === next && { shortcut: "c", says: "the next colour of tokens" })}
        >
          {meaning[one].says}
        </Button>
      ))}
    </fieldset>
  );
}
