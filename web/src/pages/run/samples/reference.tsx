/** The reference's answer to a sample's prompt, if it was asked: on the monitoring set. */
import type { AnswerPair, AnswersAnswer, PageSample } from "../../../../../src/types/page.ts";
import { LongText } from "../../../components/long-text.tsx";
import { figure } from "../../../format.ts";
import { hashOf } from "../../../router.ts";
import { useAnswer } from "../../../state/use-answer.ts";

export type References = ReadonlyMap<string, AnswerPair>;

/** The reference's answers by prompt; null until they are loaded, and while they are not wanted. */
export function useReferences(runId: string, { wanted }: { readonly wanted: boolean }): References | null {
  const path = wanted ? `/api/runs/${encodeURIComponent(runId)}/behaviour/answers` : null;
  const { answer } = useAnswer<AnswersAnswer>(path, { a: "reference", b: 0 });
  if (!wanted || answer === null) return null;
  // The first of several answers to one prompt.
  return new Map([...answer.rows].reverse().map((row) => [row.prompt, row]));
}

export interface ReferenceProps {
  readonly sample: PageSample;
  readonly references: References;
  readonly spaces: boolean;
}

export function Reference({ sample, references, spaces }: ReferenceProps) {
  const said = references.get(sample.prompt)?.a ?? null;
  return (
    <div class="said reference">
      <span class="quiet label">reference</span>
      {said === null ? (
        <p class="quiet">not asked this</p>
      ) : (
        <div>
          <LongText text={said.response} spaces={spaces} label="reference's answer" />
          {said.score !== null && <p class="quiet">score {figure(said.score, 3)}</p>}
        </div>
      )}
    </div>
  );
}

/** Said once if none of the samples has a reference answer. */
export function NoReference({ runId }: { readonly runId: string }) {
  return (
    <p>
      <span class="warn">▲ The reference answered none of these prompts:</span> it answers only the monitoring set, and
      there its answers <a href={hashOf(["runs", runId, "behaviour"], { a: "reference" })}>stand beside the policy's</a>
      . How probable it finds the answers below is in the colour KL, and in each table of tokens.
    </p>
  );
}
