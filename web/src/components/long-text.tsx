/** Text from a model, folded if it is long: a megabyte is shown in pieces, each on request. */
import { useSignal } from "@preact/signals";
import { beginning, exact } from "./exact.ts";

/** Characters shown at first: about ten lines. */
export const folded = 1_200;
/** Characters that each click adds. */
const piece = 20_000;

export interface LongTextProps {
  readonly text: string;
  readonly spaces?: boolean;
  /** What the text is: `prompt`. */
  readonly label: string;
}

export function LongText({ text, spaces = false, label }: LongTextProps) {
  const length = useSignal(folded);
  const part = beginning(text, length.value);
  const left = text.length - part.length;
  return (
    <div class="text" dir="auto">
      {text === "" ? <span class="quiet">(empty)</span> : exact(part, { spaces })}
      {left > 0 && (
        <More label={label} left={`${left.toLocaleString("en")} characters`} onPress={() => (length.value += piece)} />
      )}
      {left === 0 && length.value > folded && <Fold label={label} onPress={() => (length.value = folded)} />}
    </div>
  );
}

export function More({
  label,
  left,
  onPress,
}: {
  readonly label: string;
  readonly left: string;
  readonly onPress: () => void;
}) {
  return (
    <button type="button" class="fold" onClick={onPress}>
      … {left} more<span class="unseen"> of the {label}</span>
    </button>
  );
}

export function Fold({ label, onPress }: { readonly label: string; readonly onPress: () => void }) {
  return (
    <button type="button" class="fold" onClick={onPress}>
      fold<span class="unseen"> the {label}</span>
    </button>
  );
}
