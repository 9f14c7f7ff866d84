/** The list of the present view's keys. */
import { bound, keyName } from "../keys.ts";
import { Dialog } from "./parts.tsx";

export function Help({ onClose }: { readonly onClose: () => void }) {
  // The newest binding of a key takes effect.
  const keys = [...new Map(bound.value.map((one) => [one.key, one])).values()];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(({ key, says }) => (
          <div key={key}>
            <dt>
              <kbd>{keyName(key)}</kbd>
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        On a chart: drag to zoom, double click to zoom out, click to choose an iteration. The address holds the whole
        view.
      </p>
    </Dialog>
  );
}
