/** Answers to the monitoring set at two points side by side: what changed, word by word, and which verdicts flipped. */
import { useSignal } from "@preact/signals";
import { figureTitle } from "../../../../../src/signals/figure-titles.ts";
import type { AnswersAnswer, BehaviourAnswer } from "../../../../../src/types/page.ts";
import { Card, Empty, Problem } from "../../../components/parts.tsx";
import { Switch } from "../../../components/switch.tsx";
import { plural, visible } from "../../../format.ts";
import { useKey } from "../../../keys.ts";
import { setQuery } from "../../../router.ts";
import { useAnswer } from "../../../state/use-answer.ts";
import { filtered } from "./flips.ts";
import { Pair } from "./pair.tsx";
import { type BehaviourState, type Filter, filters } from "./view-state.ts";

/** Pairs shown at first, and added with each click. */
const first = 30;

export interface AnswerDiffProps {
  readonly runId: string;
  readonly answer: BehaviourAnswer;
  readonly state: BehaviourState;
}

export function AnswerDiff({ runId, answer, state }: AnswerDiffProps) {
  const { a, b, only, check } = state;
  const asked = useAnswer<AnswersAnswer>(`/api/runs/${encodeURIComponent(runId)}/behaviour/answers`, { a, b });
  const length = useSignal(first);
  const iterations = answer.points.map(({ iteration }) => iteration);
  const step = (by: number) => setQuery({ b: iterations[iterations.indexOf(b) + by] ?? b });
  useKey("ArrowLeft", "the answers of the point before", () => step(-1));
  useKey("ArrowRight", "the answers of the point after", () => step(1));
  const rows = asked.answer?.rows ?? null;
  const shown = rows === null ? [] : filtered(rows, { only, check });
  const count = (filter: Filter) => (rows === null ? "" : filtered(rows, { only: filter, check }).length);
  return (
    <Card title="Answers at two points" aside={<span class="quiet">← → move the right one</span>}>
      <div class="diff-controls">
        <label>
          Left{" "}
          <select value={String(a)} onChange={(event) => setQuery({ a: event.currentTarget.value })}>
            <option value="reference">reference</option>
            <Points iterations={iterations} />
          </select>
        </label>
        <label>
          Right{" "}
          <select value={String(b)} onChange={(event) => setQuery({ b: event.currentTarget.value })}>
            <Points iterations={iterations} />
          </select>
        </label>
        <Switch
          label="answers shown"
          options={(Object.keys(filters) as Filter[]).map((value) => ({
            value,
            says: (
              <>
                {filters[value]} <b>{count(value)}</b>
              </>
            ),
          }))}
          value={only}
          onChange={(value) => {
            length.value = first;
            setQuery({ only: value });
          }}
          shortcut="f"
        />
        {answer.checks.length > 1 && (
          <label>
            Check{" "}
            <select value={check} onChange={(event) => setQuery({ check: event.currentTarget.value })}>
              <option value="">any</option>
              {answer.checks.map((name) => (
                <option key={name} value={name}>
                  {visible(figureTitle(name))}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <Problem error={asked.error} />
      {rows === null && asked.error === null && <Empty>Reading the answers…</Empty>}
      {rows !== null && a === "reference" && rows.every((row) => row.a === null) && (
        <Empty>The reference's answers are not recorded in this run. Choose an iteration on the left.</Empty>
      )}
      {rows !== null && shown.length === 0 && (
        <Empty>None of {plural(rows.length, "answer")}. Choose “all” to see them.</Empty>
      )}
      <div class="pairs">
        {shown.slice(0, length.value).map((pair) => (
          <Pair key={pair.index} pair={pair} sides={[nameOf(a), nameOf(b)]} />
        ))}
      </div>
      {shown.length > length.value && (
        <button type="button" class="fold" onClick={() => (length.value += first)}>
          … {shown.length - length.value} more
        </button>
      )}
    </Card>
  );
}

function Points({ iterations }: { readonly iterations: readonly number[] }) {
  return (
    <>
      {iterations.map((iteration) => (
        <option key={iteration} value={String(iteration)}>
          iteration {iteration}
        </option>
      ))}
    </>
  );
}

function nameOf(side: number | "reference"): string {
  return side === "reference" ? side : `iteration ${side}`;
}
