/** The form of a new run: what it builds on, its name, objective, model, files, and more settings. */
import type { Signal } from "@preact/signals";
import type { NewRunAnswer, NewRunRequest } from "../../../../src/types/new-run-page.ts";

export interface Draft {
  readonly extends: string;
  /** A file that is not in the list. */
  readonly file: string;
  readonly name: string;
  readonly texts: Readonly<Record<string, string>>;
  readonly more: string;
}

export const emptyDraft: Draft = { extends: "laptop", file: "", name: "", texts: {}, more: "" };

const other = "other file";

export function requestOf({ extends: base, file, name, texts, more }: Draft): NewRunRequest {
  const given = Object.entries(texts).filter(([, text]) => text.trim() !== "");
  const settings = more.split("\n").filter((line) => line.trim() !== "");
  return { extends: base === other ? file : base, name, texts: Object.fromEntries(given), settings };
}

interface Field {
  readonly key: string;
  readonly says: string;
  readonly hint: string;
  readonly list?: string;
}

const fields: readonly Field[] = [
  { key: "model.path", says: "Model", hint: "a folder; empty for the configuration's", list: "models-known" },
  { key: "sft.data.path", says: "Demonstrations", hint: "a file for SFT: prompts with answers, or messages" },
  { key: "reward.data.path", says: "Pairs", hint: "a file for the reward model: chosen and rejected" },
  {
    key: "ppo.rewards",
    says: "Reward function",
    hint: "a .ts or .js file that scores answers, in place of other rewards",
  },
  { key: "ppo.prompts.path", says: "Prompts", hint: "a file that PPO's policy answers" },
  { key: "evaluation.prompts.path", says: "Evaluation", hint: "a file of prompts that are never trained on" },
];

export interface NewRunFormProps {
  readonly draft: Signal<Draft>;
  readonly offers: NewRunAnswer;
  readonly onStart: () => void;
}

export function NewRunForm({ draft, offers, onStart }: NewRunFormProps) {
  const { extends: base, file, name, texts, more } = draft.value;
  const set = (change: Partial<Draft>) => {
    draft.value = { ...draft.peek(), ...change };
  };
  const setText = (key: string, text: string) => set({ texts: { ...draft.peek().texts, [key]: text } });
  const says = offers.templates.find((one) => one.name === base)?.says;
  return (
    <form
      class="card new-run-form"
      aria-label="the new run"
      onSubmit={(event) => {
        event.preventDefault();
        onStart();
      }}
    >
      <label>
        Begin with
        <select value={base} onChange={({ currentTarget }) => set({ extends: currentTarget.value })}>
          <optgroup label="templates">
            {offers.templates.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </optgroup>
          {offers.files.length > 0 && (
            <optgroup label="configurations here">
              {offers.files.map((path) => (
                <option key={path} value={path}>
                  {path}
                </option>
              ))}
            </optgroup>
          )}
          <option value={other}>a different file …</option>
        </select>
        {says && <span class="quiet">{says}</span>}
      </label>
      {base === other && (
        <label>
          File
          <input
            value={file}
            spellcheck={false}
            autocomplete="off"
            placeholder="path/to/config.yaml"
            onInput={({ currentTarget }) => set({ file: currentTarget.value })}
          />
        </label>
      )}
      <label>
        Objective <span class="quiet">one sentence: what to prefer over what, and when</span>
        <textarea
          rows={2}
          maxLength={4000}
          value={texts.objective ?? ""}
          onInput={({ currentTarget }) => setText("objective", currentTarget.value)}
        />
      </label>
      {fields.map(({ key, says: label, hint, list }) => (
        <label key={key}>
          <span>
            {label} <code class="quiet">{key}</code>
          </span>
          <input
            value={texts[key] ?? ""}
            list={list}
            spellcheck={false}
            autocomplete="off"
            placeholder={hint}
            onInput={({ currentTarget }) => setText(key, currentTarget.value)}
          />
        </label>
      ))}
      <datalist id="models-known">
        {offers.models.map((path) => (
          <option key={path} value={path} />
        ))}
      </datalist>
      <label>
        Name <span class="quiet">the run is called NAME-1, NAME-2, …</span>
        <input
          value={name}
          maxLength={60}
          spellcheck={false}
          autocomplete="off"
          onInput={({ currentTarget }) => set({ name: currentTarget.value })}
        />
      </label>
      <label>
        More settings <span class="quiet">one a line, key=value: ppo.iterations=20</span>
        <textarea
          class="code"
          rows={4}
          spellcheck={false}
          autocomplete="off"
          value={more}
          onInput={({ currentTarget }) => set({ more: currentTarget.value })}
        />
      </label>
      <p class="quiet">
        Paths are relative to the folder in which the server was started.{" "}
        <button type="button" class="ghost" onClick={() => set(emptyDraft)}>
          empty the form
        </button>
      </p>
    </form>
  );
}
