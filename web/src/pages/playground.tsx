/** The playground: a conversation with one model or two side by side, and blind choices between their answers. */
import { useEffect } from "preact/hooks";
import type { PlaygroundAnswer, WorkspaceModel } from "../../../src/types/playground-page.ts";
import { Empty, Problem } from "../components/parts.tsx";
import { Switch } from "../components/switch.tsx";
import { setQuery, view } from "../router.ts";
import { draftOf } from "../state/draft.ts";
import { useAnswer } from "../state/use-answer.ts";
import { workspace } from "../state/workspace.ts";
import { BlindRating } from "./playground/blind-rating.tsx";
import { Conversation } from "./playground/conversation.tsx";
import { ModelChooser } from "./playground/model-chooser.tsx";
import { SampleRating } from "./playground/sample-rating.tsx";
import { usualSampling } from "./playground/sampling.ts";
import { TokenNote } from "./run/control/token-note.tsx";

export function PlaygroundPage() {
  const mayChange = workspace.value?.mayChange ?? false;
  const { answer, error, again } = useAnswer<PlaygroundAnswer>(mayChange ? "/api/playground" : null);
  const { query } = view.value;
  const mode = query.mode === "rate" || query.mode === "samples" ? query.mode : "talk";
  const isBlind = mode === "rate";
  const sampling = draftOf("playground sampling", usualSampling);
  useEffect(() => {
    document.title = "Playground – Ballast";
  }, []);
  const models = answer?.models ?? [];
  const named = (path: string | undefined) => models.find((one) => one.path === path);
  const first = named(query.a) ?? models[0];
  const second = named(query.b);
  const chosen = [first, second].filter((one): one is WorkspaceModel => one !== undefined);
  const set = (key: "temperature" | "maxTokens", text: string) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= 0)
      sampling.value = { ...sampling.peek(), [key]: key === "maxTokens" ? Math.max(1, Math.round(value)) : value };
  };
  return (
    <div class="playground">
      <h1>Playground</h1>
      {workspace.value !== null && !mayChange && <TokenNote />}
      <Problem error={error} />
      {answer === null && mayChange && error === null && <Empty>Looking for models…</Empty>}
      {answer !== null && models.length === 0 && (
        <Empty>There is no language model in this workspace yet: a run makes one when its SFT or PPO is done.</Empty>
      )}
      {answer !== null && first !== undefined && (
        <>
          <div class="playground-bar">
            <Switch
              label="mode"
              shortcut="m"
              value={mode}
              options={[
                { value: "talk", says: "talk" },
                { value: "rate", says: "rate blind" },
                { value: "samples", says: "rate samples" },
              ]}
              onChange={(next) => setQuery({ mode: next === "talk" ? "" : next })}
            />
            <ModelChooser
              label="model"
              models={models}
              value={first.path}
              onOpen={again}
              onChange={(a) => setQuery({ a })}
            />
            {mode !== "samples" && (
              <>
                <ModelChooser
                  label="beside it"
                  models={models}
                  value={second?.path ?? ""}
                  none={isBlind ? "choose a second model" : "no second model"}
                  onOpen={again}
                  onChange={(b) => setQuery({ b })}
                />
                <label>
                  temperature{" "}
                  <input
                    type="number"
                    min="0"
                    max="10"
                    step="0.1"
                    value={sampling.value.temperature}
                    onInput={({ currentTarget }) => set("temperature", currentTarget.value)}
                  />
                </label>
                <label>
                  at most{" "}
                  <input
                    type="number"
                    min="1"
                    value={sampling.value.maxTokens}
                    onInput={({ currentTarget }) => set("maxTokens", currentTarget.value)}
                  />{" "}
                  tokens
                </label>
              </>
            )}
          </div>
          {mode === "samples" ? (
            first.run === null ? (
              <Empty>The folder {first.path} has no samples: choose a run's model.</Empty>
            ) : (
              <SampleRating key={first.run} run={first.run} />
            )
          ) : isBlind ? (
            second === undefined || second.path === first.path ? (
              <Empty>Choose two different models: their answers stand side by side without their names.</Empty>
            ) : (
              <BlindRating key={`${first.path} ${second.path}`} models={[first, second]} sampling={sampling.value} />
            )
          ) : (
            <Conversation key={chosen.map(({ path }) => path).join()} models={chosen} sampling={sampling.value} />
          )}
          <p class="quiet">
            One engine answers, and is released when nobody has asked for five minutes. Models are read by the chat
            template as in training.
          </p>
        </>
      )}
    </div>
  );
}
