/** The operator's name, which the record keeps with everything that this browser changes. */
import { useSignal } from "@preact/signals";
import { operatorName, setOperatorName } from "../../../api.ts";

export function OperatorField() {
  const name = useSignal(operatorName());
  return (
    <label class="line-field">
      Your name <span class="quiet">for the record; empty: the user who runs the server</span>
      <input
        value={name.value}
        maxLength={100}
        autocomplete="name"
        onInput={(event) => {
          name.value = event.currentTarget.value;
          setOperatorName(name.value);
        }}
      />
    </label>
  );
}
