/** Asks for confirmation before a run is stopped. */
import type { Signal } from "@preact/signals";
import { Button, Command, Dialog } from "../../../components/parts.tsx";
import { visible } from "../../../format.ts";
import { tellCommand } from "./tell.ts";
import type { Steered } from "./use-control.ts";

interface StopDialogProps extends Steered {
  readonly reason: Signal<string>;
  readonly onClose: () => void;
  readonly onStop: () => void;
}

export function StopDialog({ run, argument, reason, onClose, onStop }: StopDialogProps) {
  const { position } = run;
  return (
    <Dialog title={`Stop ${visible(run.id)}?`} onClose={onClose}>
      <form
        class="stop"
        onSubmit={(event) => {
          event.preventDefault();
          onStop();
        }}
      >
        <p>
          It saves a checkpoint after this iteration and ends
          {position === null ? "" : `, at ${position.stage} ${position.iteration + 1} of ${position.of ?? "?"}`}. It can
          be continued later: <code>resume</code> starts where it ended.
        </p>
        <label class="line-field">
          Reason <span class="quiet">optional</span>
          <input
            autoFocus
            value={reason.value}
            maxLength={2000}
            autocomplete="off"
            onInput={(event) => {
              reason.value = event.currentTarget.value;
            }}
          />
        </label>
        <p class="press">
          <Button tone="bad" onPress={onStop}>
            Stop it
          </Button>
          <Button onPress={onClose}>Keep it running</Button>
        </p>
        <Command>{tellCommand({ kind: "stop", run: argument, reason: reason.value })}</Command>
      </form>
    </Dialog>
  );
}
