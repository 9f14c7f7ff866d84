/** Settings to change with a decision: key, value in force, new value; any number of them. */
import type { ControlAnswer } from "../../../../../src/types/page.ts";
import { figure, visible } from "../../../format.ts";
import type { SettingDraft } from "./decision.ts";

interface SettingRowsProps {
  readonly rows: readonly SettingDraft[];
  readonly settable: ControlAnswer["settable"];
  readonly onChange: (rows: readonly SettingDraft[]) => void;
}

export function SettingRows({ rows, settable, onChange }: SettingRowsProps) {
  if (settable.length === 0) return null;
  const free = settable.filter(({ key }) => !rows.some((row) => row.key === key));
  const put = (i: number, changes: Partial<SettingDraft>) =>
    onChange(rows.map((row, j) => (j === i ? { ...row, ...changes } : row)));
  const usual = free.find(({ key }) => key.endsWith(".learningRate")) ?? free[0];
  return (
    <fieldset class="setting-rows">
      <legend>Changed settings</legend>
      {rows.map(({ key, value }, i) => (
        <div key={i} class="setting-row">
          <SettingSelect
            label={`setting ${i + 1}`}
            value={key}
            settable={settable.filter((one) => one.key === key || free.includes(one))}
            onChange={(chosen) => put(i, { key: chosen })}
          />
          <span class="quiet now">{inForce(settable, key)} →</span>
          <input
            aria-label={`new value of ${key}`}
            value={value}
            size={10}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => put(i, { value: event.currentTarget.value })}
          />
          <button
            type="button"
            class="ghost"
            aria-label={`leave ${key} as it is`}
            onClick={() => onChange(rows.filter((_, j) => j !== i))}
          >
            ✕
          </button>
        </div>
      ))}
      {usual !== undefined && (
        <button type="button" onClick={() => onChange([...rows, { key: usual.key, value: "" }])}>
          + change a setting
        </button>
      )}
    </fieldset>
  );
}

interface SettingSelectProps {
  readonly label: string;
  readonly value: string;
  readonly settable: ControlAnswer["settable"];
  readonly onChange: (key: string) => void;
  readonly element?: preact.Ref<HTMLSelectElement>;
}

export function SettingSelect({ label, value, settable, onChange, element }: SettingSelectProps) {
  return (
    <select
      aria-label={label}
      value={value}
      {...(element && { ref: element })}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {settable.map(({ key }) => (
        <option key={key} value={key}>
          {visible(key)}
        </option>
      ))}
    </select>
  );
}

/** The value of a setting in the configuration's notation. */
export function inForce(settable: ControlAnswer["settable"], key: string): string {
  const value = settable.find((one) => one.key === key)?.value;
  if (value === undefined || value === null) return "none";
  return typeof value === "number" ? figure(value) : visible(String(value));
}
