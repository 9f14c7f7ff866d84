/** The iteration whose samples are shown: a slider over those with samples, keys to step, and back to the newest. */
import { Button } from "../../../components/parts.tsx";
import { useKey } from "../../../keys.ts";
import { setQuery } from "../../../router.ts";
import { placeOf } from "./order.ts";

export interface IterationSliderProps {
  readonly iterations: readonly number[];
  /** The requested iteration; null is the newest. */
  readonly it: number | null;
  readonly alive: boolean;
}

export function IterationSlider({ iterations, it, alive }: IterationSliderProps) {
  const last = iterations.length - 1;
  const place = placeOf(iterations, it);
  const shown = iterations[place]!;
  const to = (index: number) => setQuery({ it: iterations[Math.max(0, Math.min(last, index))] });
  useKey("ArrowLeft", "the iteration before", () => to(place - 1));
  useKey("ArrowRight", "the iteration after", () => to(place + 1));
  return (
    <div class="iteration">
      <label for="iteration-slider">Iteration</label>
      <button
        type="button"
        disabled={place === 0}
        onClick={() => to(place - 1)}
        aria-label="the iteration before"
        title="←"
      >
        ◀
      </button>
      <input
        id="iteration-slider"
        type="range"
        min={0}
        max={last}
        step={1}
        value={place}
        aria-valuetext={`iteration ${shown}`}
        onInput={(event) => to(Number(event.currentTarget.value))}
      />
      <button
        type="button"
        disabled={place === last}
        onClick={() => to(place + 1)}
        aria-label="the iteration after"
        title="→"
      >
        ▶
      </button>
      <output for="iteration-slider">
        <b>{shown}</b>{" "}
        <span class="quiet">
          of {iterations[0]} to {iterations[last]}
        </span>
      </output>
      <Button
        shortcut="n"
        says="the newest iteration, and follow"
        pressed={it === null}
        onPress={() => setQuery({ it: it === null ? shown : undefined })}
      >
        {alive ? "Follow newest" : "Newest"}
      </Button>
      {it !== null && it !== shown && <span class="quiet">No samples of {it} are kept.</span>}
    </div>
  );
}
