/** Blind choices: two models answer a prompt in random order, without their names until one is preferred. */
import { useSignal } from "@preact/signals";
import type { SamplesAnswer } from "../../../../src/types/page.ts";
import type { WorkspaceModel } from "../../../../src/types/playground-page.ts";
import { ApiError, get, post } from "../../api.ts";
import { Button, Problem } from "../../components/parts.tsx";
import { OperatorField } from "../run/control/operator-field.tsx";
import { GrowingAnswer } from "./answer.tsx";
import { modelName } from "./model-chooser.tsx";
import { PreferButtons } from "./prefer-buttons.tsx";
import { PreferenceExport } from "./preference-export.tsx";
import type { Sampling } from "./sampling.ts";
import { useReply } from "./use-reply.ts";

export interface BlindRatingProps {
  readonly models: readonly [WorkspaceModel, WorkspaceModel];
  readonly sampling: Sampling;
}

interface Asked {
  readonly prompt: string;
  /** The model of each side. */
  readonly order: readonly [0, 1] | readonly [1, 0];
}

export function BlindRating({ models, sampling }: BlindRatingProps) {
  const typed = useSignal("");
  const asked = useSignal<Asked | null>(null);
  /** The side that was preferred: the names may be seen. */
  const chosen = useSignal<0 | 1 | null>(null);
  const error = useSignal<ApiError | null>(null);
  const said = useSignal("");
  const wins = useSignal<readonly [number, number]>([0, 0]);
  const sides = [useReply(), useReply()] as const;
  const run = models[0].run ?? models[1].run;
  const answers = sides.map((side) => side.growing.done?.text ?? null);
  const ready = asked.value !== null && chosen.value === null && answers.every((text) => text !== null);
  const same = ready && answers[0] === answers[1];
  const isBusy = sides.some((side) => side.isBusy);

  const caught = async (work: () => Promise<void>) => {
    error.value = null;
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.value = failure;
    }
  };
  const ask = (prompt: string) => {
    if (prompt.trim() === "" || isBusy) return;
    const order = Math.random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const);
    asked.value = { prompt, order };
    chosen.value = null;
    said.value = "";
    typed.value = "";
    // In a fixed order of the models, so that which one is loaded first says nothing about a side.
    for (const model of [0, 1] as const) {
      const side = sides[order.indexOf(model)]!;
      void side.ask(models[model].path, [{ role: "user", content: prompt }], sampling);
    }
  };
  const draw = () =>
    caught(async () => {
      const path = `/api/runs/${encodeURIComponent(run!)}/samples`;
      const { samples } = await get<SamplesAnswer>(path, { filter: "highest", limit: 200 });
      const { samples: lowest } = await get<SamplesAnswer>(path, { filter: "lowest", limit: 200 });
      const prompts = [...new Set([...samples, ...lowest].map(({ prompt }) => prompt))].filter(
        (prompt) => prompt !== asked.peek()?.prompt,
      );
      const prompt = prompts[Math.floor(Math.random() * prompts.length)];
      if (prompt === undefined)
        throw new ApiError({ error: `${run} has no stored samples whose prompts could be asked.` }, 404);
      ask(prompt);
    });
  const prefer = (side: 0 | 1) =>
    caught(async () => {
      const { prompt, order } = asked.peek()!;
      const body = { prompt, chosen: answers[side], rejected: answers[1 - side] };
      const { message } = await post(`/api/runs/${encodeURIComponent(run!)}/preferences`, body);
      chosen.value = side;
      said.value = message;
      const [a, b] = wins.peek();
      wins.value = order[side] === 0 ? [a + 1, b] : [a, b + 1];
    });
  if (run === null)
    return (
      <p class="notice">
        A choice is kept with a run, and neither model was made by one of this workspace: choose a run's model on one
        side.
      </p>
    );
  return (
    <section class="talk" aria-label="blind rating">
      <form
        class="talk-form"
        aria-label="the prompt"
        onSubmit={(event) => {
          event.preventDefault();
          ask(typed.value.trim());
        }}
      >
        <label>
          Prompt
          <textarea
            rows={2}
            value={typed.value}
            placeholder="Enter asks both"
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
              event.preventDefault();
              ask(typed.value.trim());
            }}
          />
        </label>
        <p class="press">
          <Button tone="main" disabled={isBusy || typed.value.trim() === ""} onPress={() => ask(typed.value.trim())}>
            Ask both
          </Button>
          <Button shortcut="n" says="a prompt of the run" disabled={isBusy} onPress={() => void draw()}>
            A prompt of {run}
          </Button>
          <OperatorField />
        </p>
      </form>
      <Problem error={error.value} />
      {asked.value !== null && (
        <>
          <div class="said-by-user">
            <p class="text">{asked.value.prompt}</p>
          </div>
          <div class="talk-row" style={{ "--columns": "2" }}>
            {([0, 1] as const).map((side) => (
              <div key={side} class={chosen.value === side ? "card chosen-answer" : "card"}>
                <h2>
                  {side + 1}
                  {chosen.value !== null && `: ${modelName(models[asked.value!.order[side]])}`}
                  {chosen.value === side && " ✓"}
                </h2>
                <GrowingAnswer growing={blinded(sides[side].growing, chosen.value !== null)} />
              </div>
            ))}
          </div>
          <p class="press">
            <PreferButtons ready={ready && !same} onPrefer={prefer} />
            <Button shortcut="s" says="neither: the next prompt" disabled={isBusy} onPress={() => void draw()}>
              {chosen.value === null ? "Skip" : "Next"}
            </Button>
            {same && <span class="quiet">Both gave the same answer: there is nothing to prefer.</span>}
          </p>
        </>
      )}
      <p role="status">{said.value}</p>
      {wins.value[0] + wins.value[1] > 0 && (
        <p>
          Preferred here: {modelName(models[0])} <b>{wins.value[0]}</b>, {modelName(models[1])} <b>{wins.value[1]}</b>
        </p>
      )}
      <PreferenceExport run={run} />
    </section>
  );
}

/** Length and speed could give a model away before the choice. */
function blinded(growing: ReturnType<typeof useReply>["growing"], isSeen: boolean) {
  return isSeen || growing.done === null ? growing : { ...growing, done: null };
}
