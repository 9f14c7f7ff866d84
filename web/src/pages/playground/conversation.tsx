/** A conversation of several turns with one model, or with two side by side, each with a history of its own. */
import { useRef } from "preact/hooks";
import type { PlaygroundMessage, WorkspaceModel } from "../../../../src/types/playground-page.ts";
import { LongText } from "../../components/long-text.tsx";
import { Button } from "../../components/parts.tsx";
import { draftOf } from "../../state/draft.ts";
import { GrowingAnswer } from "./answer.tsx";
import { modelName } from "./model-chooser.tsx";
import type { Sampling } from "./sampling.ts";
import { useReply } from "./use-reply.ts";

interface Turn {
  readonly user: string;
  /** Answers in the order of the models; null for a model that gave none. */
  readonly answers: readonly (string | null)[];
}

interface Talk {
  readonly system: string;
  readonly turns: readonly Turn[];
  readonly typed: string;
}

export interface ConversationProps {
  readonly models: readonly WorkspaceModel[];
  readonly sampling: Sampling;
}

/** The messages that a model reads: turns that it did not answer are left out. */
export function messagesOf({ system, turns }: Omit<Talk, "typed">, place: number, user: string): PlaygroundMessage[] {
  return [
    ...(system.trim() === "" ? [] : [{ role: "system" as const, content: system }]),
    ...turns.flatMap(({ user: said, answers }) => {
      const answer = answers[place] ?? null;
      return answer === null
        ? []
        : [
            { role: "user" as const, content: said },
            { role: "assistant" as const, content: answer },
          ];
    }),
    { role: "user", content: user },
  ];
}

export function Conversation({ models, sampling }: ConversationProps) {
  const talk = draftOf<Talk>(`talk ${models.map(({ path }) => path).join()}`, { system: "", turns: [], typed: "" });
  const sides = [useReply(), useReply()].slice(0, models.length);
  const isBusy = sides.some((side) => side.isBusy);
  const asked = useRef("");
  const { system, turns, typed } = talk.value;
  const set = (change: Partial<Talk>) => {
    talk.value = { ...talk.peek(), ...change };
  };
  const send = async () => {
    const user = talk.peek().typed.trim();
    if (user === "" || isBusy) return;
    asked.current = user;
    set({ typed: "" });
    const before = talk.peek();
    const answers = await Promise.all(
      models.map(({ path }, place) => sides[place]!.ask(path, messagesOf(before, place, user), sampling)),
    );
    if (answers.every((answer) => answer === null)) {
      // Nothing was said: the text may be sent again.
      if (talk.peek().typed === "") set({ typed: user });
      return;
    }
    set({ turns: [...talk.peek().turns, { user, answers }] });
    for (const [place, answer] of answers.entries()) if (answer !== null) sides[place]!.clear();
    asked.current = "";
  };
  const growing = sides.some((side) => side.isBusy || side.growing.problem !== null || side.growing.text !== "");
  const columns = { "--columns": String(models.length) };
  return (
    <section class="talk" aria-label="conversation">
      <details class="system" open={system !== ""}>
        <summary>system message</summary>
        <textarea
          rows={2}
          aria-label="system message"
          value={system}
          onInput={({ currentTarget }) => set({ system: currentTarget.value })}
        />
      </details>
      {models.length > 1 && (
        <div class="talk-row heads" style={columns}>
          {models.map((model) => (
            <b key={model.path}>{modelName(model)}</b>
          ))}
        </div>
      )}
      <ol class="turns">
        {turns.map(({ user, answers }, i) => (
          <li key={i}>
            <div class="said-by-user">
              <LongText text={user} label="message" />
            </div>
            <div class="talk-row" style={columns}>
              {models.map((model, place) => (
                <div key={model.path} class="answer-of" data-model={models.length > 1 ? modelName(model) : undefined}>
                  <div class="answer">
                    {answers[place] == null ? (
                      <p class="quiet">no answer</p>
                    ) : (
                      <LongText text={answers[place]} label="answer" />
                    )}
                  </div>
                </div>
              ))}
            </div>
          </li>
        ))}
        {growing && (
          <li aria-live="polite">
            <div class="said-by-user">
              <LongText text={asked.current} label="message" />
            </div>
            <div class="talk-row" style={columns}>
              {sides.map((side, place) => (
                <div
                  key={models[place]!.path}
                  class="answer-of"
                  data-model={models.length > 1 ? modelName(models[place]!) : undefined}
                >
                  <GrowingAnswer growing={side.growing} />
                </div>
              ))}
            </div>
          </li>
        )}
      </ol>
      <form
        class="talk-form"
        aria-label="say something"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <textarea
          rows={3}
          aria-label="your message"
          placeholder="Enter sends, Shift+Enter begins a line"
          value={typed}
          onInput={({ currentTarget }) => set({ typed: currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            void send();
          }}
        />
        <p class="press">
          <Button tone="main" disabled={isBusy || typed.trim() === ""} onPress={() => void send()}>
            Send
          </Button>
          <Button
            disabled={!isBusy}
            onPress={() => {
              for (const side of sides) side.stop();
            }}
          >
            Stop
          </Button>
          <Button disabled={turns.length === 0 || isBusy} onPress={() => set({ turns: [] })}>
            Begin again
          </Button>
        </p>
      </form>
    </section>
  );
}
