/** The samples view: what the policy wrote in an iteration, or in all of them, token by token. */
import type { PageSample, SampleIterationsAnswer, SamplesAnswer } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { exact } from "../../components/exact.ts";
import { Empty, Problem } from "../../components/parts.tsx";
import { plural } from "../../format.ts";
import { useAnswer } from "../../state/use-answer.ts";
import { Controls } from "./samples/controls.tsx";
import { IterationSlider } from "./samples/iteration-slider.tsx";
import { placeOf } from "./samples/order.ts";
import { SampleList } from "./samples/sample-list.tsx";
import { filters, type SamplesState, samplesState, searches } from "./samples/view-state.ts";
import type { TabProps } from "./tab.ts";

export function SamplesTab({ data, answer, run }: TabProps) {
  const state = samplesState();
  const base = `/api/runs/${encodeURIComponent(data.id)}/samples`;
  // New iterations have new samples.
  const done = answer.stages.find(({ stage }) => stage === "ppo")?.done ?? 0;
  const known = useAnswer<SampleIterationsAnswer>(`${base}/iterations`, { stage: "ppo" }, done);
  const iterations = known.answer?.iterations ?? null;
  const searching = searches(state) && !isFile;
  const shown = iterations?.[placeOf(iterations, state.it)];
  const query = searching
    ? { stage: "ppo", q: state.q, filter: state.filter ?? undefined, prompt: state.prompt ?? undefined, limit: 100 }
    : { stage: "ppo", iteration: shown };
  const found = useAnswer<SamplesAnswer>(shown === undefined ? null : base, query);
  const samples = found.answer?.samples ?? null;
  return (
    <div class="samples">
      <div class="samples-head">
        {!searching && iterations !== null && iterations.length > 0 && (
          <IterationSlider iterations={iterations} it={state.it} alive={run.alive} />
        )}
        {shown !== undefined && <Controls state={state} />}
      </div>
      <Problem error={known.error ?? found.error} />
      {iterations?.length === 0 && (
        <Empty>
          No samples yet: each PPO iteration keeps `ppo.storedSamples` of its rollout and the one with the lowest score.
          They show here as soon as the first is done.
        </Empty>
      )}
      {samples === null && shown !== undefined && found.error === null && <Empty>Reading the samples…</Empty>}
      {samples !== null && (
        <SampleList
          runId={data.id}
          samples={samples}
          state={state}
          title={
            searching
              ? titleOf(state, found.answer!)
              : `Iteration ${samples[0]?.iteration ?? shown}: ${plural(samples.length, "sample")} kept`
          }
          none={
            <Empty>{searching ? "Nothing found. Shorten the search, or go back to one iteration (b)." : "None."}</Empty>
          }
        />
      )}
    </div>
  );
}

/** The title: `23 samples of all iterations with “tea”, lowest scores`. */
function titleOf({ q, filter, prompt }: SamplesState, { samples, more }: SamplesAnswer): string {
  const words = [
    prompt !== null && `of the prompt “${short(samples)}”`,
    q !== "" && `with “${exact(q)}”`,
    filter !== null && filters[filter],
  ].filter((word) => word !== false);
  return `${more ? "The first " : ""}${plural(samples.length, "sample")} of all iterations, ${words.join(", ")}`;
}

function short([first]: readonly PageSample[]): string {
  const text = exact(first?.prompt ?? "");
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
