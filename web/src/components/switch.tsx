/** A choice of one of a few things, side by side; a key selects the next. */
import type { ComponentChildren } from "preact";
import { Button } from "./parts.tsx";

export interface SwitchProps<Value extends string> {
  /** What is chosen, in words. */
  readonly label: string;
  readonly options: readonly { readonly value: Value; readonly says: ComponentChildren }[];
  readonly value: Value;
  readonly onChange: (value: Value) => void;
  readonly shortcut: string;
}

export function Switch<Value extends string>({ label, options, value, onChange, shortcut }: SwitchProps<Value>) {
  const next = options[(options.findIndex((one) => one.value === value) + 1) % options.length]!;
  return (
    <fieldset class="switch">
      <legend class="unseen">{label}</legend>
      {options.map((one) => (
        <Button
          key={one.value}
          pressed={one.value === value}
          onPress={() => onChange(one.value)}
          {...(one === next && { shortcut, says: `${label}: the next` })}
        >
          {one.says}
        </Button>
      ))}
    </fieldset>
  );
}
