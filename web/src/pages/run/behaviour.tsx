/** The behaviour view: the monitoring set across a run, how its answers changed, and what the reward gained. */
import type { BehaviourAnswer } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { Empty, Problem } from "../../components/parts.tsx";
import { colourOf } from "../../hues.ts";
import { useAnswer } from "../../state/use-answer.ts";
import { AnswerDiff } from "./behaviour/answer-diff.tsx";
import { Checks } from "./behaviour/checks.tsx";
import { EvaluationCard } from "./behaviour/evaluation.tsx";
import { RecordedChecks } from "./behaviour/recorded-checks.tsx";
import { Tradeoffs } from "./behaviour/tradeoffs.tsx";
import { behaviourState } from "./behaviour/view-state.ts";
import type { TabProps } from "./tab.ts";

export function BehaviourTab({ data, answer, run }: TabProps) {
  const every = everyOf(answer.config);
  const done = answer.stages.find(({ stage }) => stage === "ppo")?.done ?? 0;
  const news = `${run.state} ${run.attempt} ${Math.floor(done / every)}`;
  const asked = useAnswer<BehaviourAnswer>(`/api/runs/${encodeURIComponent(data.id)}/behaviour`, {}, news);
  const found = asked.answer;
  const state = found === null ? null : behaviourState(found);
  return (
    <div class="behaviour" style={{ "--hue": `var(${colourOf(data.id)})` }}>
      <Problem error={asked.error} />
      {found === null && asked.error === null && <Empty>Reading the evaluation set…</Empty>}
      {found !== null && state === null && <RecordedChecks data={data} answer={answer} />}
      {found !== null && state !== null && (
        <>
          {found.of > found.points.length && (
            <p class="quiet">
              {found.points.length} of {found.of} measurements, evenly spread
            </p>
          )}
          <Checks answer={found} state={state} runId={data.id} />
          <Tradeoffs points={found.points} />
        </>
      )}
      {found !== null && found.evaluation !== null && <EvaluationCard evaluation={found.evaluation} />}
      {found !== null && state !== null && !isFile && <AnswerDiff runId={data.id} answer={found} state={state} />}
    </div>
  );
}

/** Iterations between two points; 1 if the run does not say. */
function everyOf(config: Readonly<Record<string, unknown>>): number {
  const { control } = config as { readonly control?: { readonly monitor?: { readonly every?: number } } };
  return control?.monitor?.every || 1;
}
