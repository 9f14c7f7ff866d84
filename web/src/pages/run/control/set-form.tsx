/** Changes a coefficient from the next iteration on: the server checks the value as it checks the configuration's. */
import type { Signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { leverOfKey } from "../../../../../src/levers/levers.ts";
import { Button, Command } from "../../../components/parts.tsx";
import { useKey } from "../../../keys.ts";
import { draftOf } from "../../../state/draft.ts";
import { sentenceOf } from "../overview/event-words.ts";
import { Sent } from "./sent.tsx";
import { inForce, SettingSelect } from "./setting-rows.tsx";
import { tellCommand, typedValue } from "./tell.ts";
import { type Steered, useSend } from "./use-control.ts";

interface SetFormProps extends Steered {
  /** The reason, shared with the other commands. */
  readonly reason: Signal<string>;
}

export function SetForm(props: SetFormProps) {
  const { run, control, argument, mayChange, reason } = props;
  const { settable, active } = control;
  const sender = useSend(props);
  const select = useRef<HTMLSelectElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const usual = settable.find(({ key }) => key.endsWith(".learningRate")) ?? settable[0];
  const draft = draftOf(`set ${run.id}`, { key: usual?.key ?? "", value: "" });
  useKey(settable.length === 0 ? undefined : "c", "change a coefficient", () => select.current?.focus());
  if (usual === undefined) return null;
  const { value } = draft.value;
  // In a later stage different settings may be changed.
  const key = settable.some((one) => one.key === draft.value.key) ? draft.value.key : usual.key;
  const because = reason.value.trim();
  const command = tellCommand({
    kind: "set",
    run: argument,
    payload: { key, value: value.trim() },
    reason: because,
  });
  const press = async () => {
    if (value.trim() === "") {
      input.current?.focus();
      return;
    }
    const body = { kind: "set", payload: { key, value: typedValue(value) }, reason: because };
    const wasTaken = await sender.send(`/api/runs/${encodeURIComponent(run.id)}/commands`, body);
    if (!wasTaken) {
      input.current?.focus();
      return;
    }
    // Text typed meanwhile stays.
    if (draft.peek().value === value) draft.value = { key, value: "" };
    if (reason.peek().trim() === because) reason.value = "";
  };
  const steered = active.filter(({ action }) => action === leverOfKey(key));
  return (
    <form
      class="set-form"
      aria-label="change a coefficient"
      onSubmit={(event) => {
        event.preventDefault();
        if (mayChange) void press();
      }}
    >
      <h3>
        Change a coefficient <kbd>c</kbd>
      </h3>
      <div class="setting-row">
        <SettingSelect
          label="setting"
          element={select}
          value={key}
          settable={settable}
          onChange={(chosen) => {
            draft.value = { key: chosen, value: "" };
            sender.clear();
          }}
        />
        <span class="now">
          <span class="quiet">is</span> {inForce(settable, key)} <span aria-hidden="true">→</span>
        </span>
        <input
          ref={input}
          aria-label={`new value of ${key}`}
          aria-invalid={sender.error !== null}
          value={value}
          size={10}
          autocomplete="off"
          spellcheck={false}
          placeholder="new value"
          onInput={(event) => {
            draft.value = { key, value: event.currentTarget.value };
          }}
        />
        <Button onPress={press} command={command} disabled={!mayChange || sender.isBusy}>
          Change
        </Button>
      </div>
      {steered.map(({ id, reason: why }) => (
        <p key={id} class="quiet">
          Intervention {id} multiplies it now, {sentenceOf(why, run.id)}. Setting a value ends that.
        </p>
      ))}
      <Sent sender={sender} commands={control.commands} />
      <Command>{command}</Command>
    </form>
  );
}
