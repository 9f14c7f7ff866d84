/** What the charts show: stage, range, smoothing, axes, further metrics, the selected iteration. */
import { useId } from "preact/hooks";
import type { RunAnswer } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { Button } from "../../../components/parts.tsx";
import { useKey } from "../../../keys.ts";
import { hashOf, setQuery } from "../../../router.ts";
import { stageNames, stepWord } from "./strip.tsx";
import { choose, type OverviewState, showRange, toggle, usualSmoothing } from "./view-state.ts";

export interface ToolbarProps {
  readonly answer: RunAnswer;
  readonly stage: Stage;
  readonly state: OverviewState;
  /** Iterations (or steps) done in the stage. */
  readonly done: number;
}

export function Toolbar({ answer, stage, state, done }: ToolbarProps) {
  const { from, to, it, smooth, log } = state;
  const word = stepWord(stage);
  const zoom = (factor: number) => showRange(zoomed({ state, done, factor }));
  const move = (by: number) => choose(Math.min(Math.max(0, (it ?? done) + by), Math.max(0, done - 1)));
  const levels = [0, usualSmoothing, 0.9];
  const nextSmoothing = () => setSmoothing(levels.find((level) => level > smooth) ?? 0);
  useKey("=", "zoom in", () => zoom(1 / 2));
  useKey("Escape", "no chosen iteration", () => choose(null));
  return (
    <div class="toolbar">
      {answer.stages.length > 1 && (
        <fieldset class="segments">
          <legend class="unseen">Stage</legend>
          {answer.stages.map((one) => (
            <button
              key={one.stage}
              type="button"
              aria-pressed={one.stage === stage}
              onClick={() => setQuery({ stage: one.stage, from: undefined, to: undefined, it: undefined })}
            >
              {stageNames[one.stage]}{" "}
              <span class="quiet">
                {one.done}
                {one.of !== null && `/${one.of}`}
              </span>
            </button>
          ))}
        </fieldset>
      )}
      <span class="tool-group">
        <Button shortcut="+" says="zoom in" onPress={() => zoom(1 / 2)} label="zoom in">
          +
        </Button>
        <Button shortcut="-" says="zoom out" onPress={() => zoom(2)} label="zoom out">
          −
        </Button>
        <Button
          shortcut="0"
          says={`all ${word}s`}
          disabled={from === undefined && to === undefined}
          onPress={() => showRange(null)}
        >
          all
        </Button>
        {(from !== undefined || to !== undefined) && (
          <span>
            {from ?? 0} to {to === undefined ? "the newest" : to - 1}
          </span>
        )}
      </span>
      <span class="tool-group">
        <Button
          shortcut="ArrowLeft"
          says={`${word} before the chosen one`}
          onPress={() => move(-1)}
          label={`${word} before`}
        >
          ←
        </Button>
        <Button
          shortcut="ArrowRight"
          says={`${word} after the chosen one`}
          onPress={() => move(1)}
          label={`${word} after`}
        >
          →
        </Button>
        {it === null ? (
          <span class="quiet">none chosen</span>
        ) : (
          <>
            <span>
              {word} <b>{it}</b>
            </span>
            {stage === "ppo" && <a href={hashOf(["runs", answer.run.id, "samples"], { it })}>samples</a>}
            <button type="button" class="ghost" onClick={() => choose(null)} aria-label="choose none">
              ✕
            </button>
          </>
        )}
      </span>
      <span class="tool-group">
        <label>
          smooth{" "}
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={smooth}
            onInput={(event) => setSmoothing(Number(event.currentTarget.value))}
          />{" "}
          <span class="smooth-figure">{smooth === 0 ? "off" : smooth.toFixed(2)}</span>
        </label>
        <Button shortcut="s" says="smoothing: off, 0.6, 0.9" onPress={nextSmoothing}>
          next
        </Button>
        <Button
          shortcut="l"
          says="logarithmic axes"
          pressed={log}
          onPress={() => setQuery({ log: log ? undefined : 1 })}
        >
          log
        </Button>
      </span>
      <Picker keys={answer.keys.filter((one) => one.stage === stage).map(({ key }) => key)} added={state.added} />
    </div>
  );
}

function setSmoothing(weight: number): void {
  setQuery({ smooth: weight === usualSmoothing ? undefined : Number(weight.toFixed(2)) });
}

/** A zoomed range, around the selected iteration if it is shown, else towards the newest; the whole run has no range. */
export function zoomed({
  state: { from, to, it },
  done,
  factor,
}: {
  readonly state: Pick<OverviewState, "from" | "to" | "it">;
  readonly done: number;
  readonly factor: number;
}): { readonly from: number; readonly to: number | undefined } | null {
  const [first, end] = [from ?? 0, to ?? done];
  const span = Math.max(2, Math.round((end - first) * factor));
  if (span >= done) return null;
  const about = it !== null && it >= first && it < end ? it : to === undefined ? end : (first + end) / 2;
  const share = end > first ? (about - first) / (end - first) : 0.5;
  const start = Math.min(Math.max(0, Math.round(about - share * span)), Math.max(0, done - span));
  // A range that reaches the newest iteration moves along with it.
  return { from: start, to: start + span >= done ? undefined : start + span };
}

/** A field with which any recorded metric gets a chart. */
function Picker({ keys, added }: { readonly keys: readonly string[]; readonly added: readonly string[] }) {
  const list = useId();
  const add = (input: HTMLInputElement) => {
    const key = input.value.trim();
    if (!keys.includes(key)) return;
    if (!added.includes(key)) toggle("add", key);
    input.value = "";
  };
  return (
    <span class="tool-group">
      <label>
        add chart{" "}
        <input
          type="text"
          class="picker"
          list={list}
          placeholder={`${keys.length} metrics`}
          autocomplete="off"
          onInput={(event) => keys.includes(event.currentTarget.value) && add(event.currentTarget)}
          onKeyDown={(event) => event.key === "Enter" && add(event.currentTarget)}
        />
      </label>
      <datalist id={list}>
        {keys
          .filter((key) => !added.includes(key))
          .map((key) => (
            <option key={key} value={key} />
          ))}
      </datalist>
    </span>
  );
}
