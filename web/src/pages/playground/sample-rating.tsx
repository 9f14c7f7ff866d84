/** Blind choices among a run's stored samples: two responses to one prompt, whose iterations are hidden until one is preferred. */
import { useSignal } from "@preact/signals";
import type { SamplePair } from "../../../../src/types/playground-page.ts";
import { ApiError, post } from "../../api.ts";
import { LongText } from "../../components/long-text.tsx";
import { Button, Problem } from "../../components/parts.tsx";
import { plural } from "../../format.ts";
import { useAnswer } from "../../state/use-answer.ts";
import { OperatorField } from "../run/control/operator-field.tsx";
import { PreferButtons } from "./prefer-buttons.tsx";
import { PreferenceExport } from "./preference-export.tsx";

export function SampleRating({ run }: { readonly run: string }) {
  const path = `/api/runs/${encodeURIComponent(run)}`;
  const skip = useSignal(0);
  const turn = useSignal(0);
  const chosen = useSignal<0 | 1 | null>(null);
  const failure = useSignal<ApiError | null>(null);
  const said = useSignal("");
  const { answer: pair, error } = useAnswer<SamplePair>(`${path}/pairs`, { skip: skip.value }, turn.value);
  const prefer = async (side: 0 | 1) => {
    failure.value = null;
    try {
      const [a, b] = pair!.responses.map(({ text }) => text);
      const body = { prompt: pair!.prompt, chosen: side === 0 ? a : b, rejected: side === 0 ? b : a };
      said.value = (await post(`${path}/preferences`, body)).message;
      chosen.value = side;
    } catch (caught) {
      if (!(caught instanceof ApiError)) throw caught;
      failure.value = caught;
    }
  };
  const next = () => {
    // A choice makes the pair one of those that were asked.
    if (chosen.peek() === null) skip.value++;
    else turn.value++;
    chosen.value = null;
    said.value = "";
  };
  const ready = pair !== null && error === null && chosen.value === null;
  return (
    <section class="talk" aria-label="rate samples blind">
      <OperatorField />
      <Problem error={error ?? failure.value} />
      {pair !== null && error === null && (
        <>
          <div class="said-by-user">
            <LongText text={pair.prompt} label="prompt" />
          </div>
          <div class="talk-row" style={{ "--columns": "2" }}>
            {pair.responses.map(({ text, iterations }, side) => (
              <div key={side} class={chosen.value === side ? "card chosen-answer" : "card"}>
                <h2>
                  {side + 1}
                  {chosen.value !== null && `: iteration ${iterations.slice(0, 5).join(", ")}`}
                  {chosen.value === side && " ✓"}
                </h2>
                <LongText text={text} label="answer" />
              </div>
            ))}
          </div>
          <p class="press">
            <PreferButtons ready={ready} onPrefer={prefer} />
            <Button shortcut="s" says="the next pair" onPress={next}>
              {chosen.value === null ? "Skip" : "Next"}
            </Button>
            <span class="quiet">{plural(pair.left, "pair")} left</span>
          </p>
        </>
      )}
      <p role="status">{said.value}</p>
      <PreferenceExport run={run} />
    </section>
  );
}
