/** The operator's commands to the trainer: pause, resume, save, stop, change a coefficient; each with its equivalent command line. */
import { useSignal } from "@preact/signals";
import type { CommandKind } from "../../../../../src/types/records.ts";
import { Button, Card, Command } from "../../../components/parts.tsx";
import { draftOf } from "../../../state/draft.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";
import { Sent } from "./sent.tsx";
import { SetForm } from "./set-form.tsx";
import { StopDialog } from "./stop-dialog.tsx";
import { tellCommand } from "./tell.ts";
import { type Steered, useSend } from "./use-control.ts";

interface Row {
  readonly kind: CommandKind;
  readonly says: string;
  readonly shortcut: string;
  readonly disabled: boolean;
}

export function Steer(props: Steered) {
  const { run, control, argument, mayChange } = props;
  const sender = useSend(props);
  const asks = useSignal(false);
  const reason = draftOf(`reason ${run.id}`, "");
  const isWaiting = control.incidents.some(({ decision }) => decision === null);
  const isPaused = run.state === "paused" && !isWaiting;
  const off = !mayChange || !run.alive || sender.isBusy;
  const because = reason.value;
  const tell = (kind: CommandKind) =>
    sender
      .send(`/api/runs/${encodeURIComponent(run.id)}/commands`, { kind, reason: because.trim() })
      .then((wasTaken) => {
        // Text typed meanwhile stays.
        if (wasTaken && reason.peek() === because) reason.value = "";
      });
  const rows: readonly Row[] = [
    isPaused
      ? { kind: "resume", says: "Resume", shortcut: "P", disabled: off }
      : { kind: "pause", says: "Pause", shortcut: "P", disabled: off || isWaiting },
    { kind: "save", says: "Save a checkpoint", shortcut: "s", disabled: off || isWaiting },
    { kind: "stop", says: "Stop …", shortcut: "x", disabled: off || isWaiting },
  ];
  return (
    <Card title="Steer" aside={<span class="quiet">taken between two iterations</span>}>
      <div class="steer">
        {!run.alive && <NoTrainer {...props} />}
        {run.alive && isWaiting && (
          <p class="quiet">The trainer waits for the decision above, and takes other commands after it.</p>
        )}
        <label class="line-field">
          Reason <span class="quiet">optional; kept in the record</span>
          <input
            value={because}
            maxLength={2000}
            autocomplete="off"
            onInput={(event) => {
              reason.value = event.currentTarget.value;
            }}
          />
        </label>
        <ul class="tell-list">
          {rows.map(({ kind, says, shortcut, disabled }) => {
            const command = tellCommand({ kind, run: argument, reason: because });
            return (
              <li key={kind}>
                <Button
                  shortcut={shortcut}
                  says={says.replace(" …", "")}
                  command={command}
                  disabled={disabled}
                  {...(kind === "stop" && { tone: "bad" as const })}
                  onPress={() => {
                    if (kind === "stop") asks.value = true;
                    else void tell(kind);
                  }}
                >
                  {says}
                </Button>
                <Command>{command}</Command>
              </li>
            );
          })}
        </ul>
        <Sent sender={sender} commands={control.commands} />
        <SetForm {...props} reason={reason} />
      </div>
      {asks.value && (
        <StopDialog
          {...props}
          reason={reason}
          onClose={() => {
            asks.value = false;
          }}
          onStop={() => {
            asks.value = false;
            void tell("stop");
          }}
        />
      )}
    </Card>
  );
}

function NoTrainer({ run, argument, control }: Steered) {
  const isOpen = control.incidents.some(({ decision }) => decision === null);
  if (run.state === "done") return <p class="quiet">The run is done: it takes no more commands.</p>;
  const last = control.incidents.at(-1);
  if (last?.decision?.action === "stop" && last.attempt === run.attempt)
    return <p class="quiet">The run was stopped by the decision on incident {last.id}, and stays stopped.</p>;
  return (
    <div class="notice">
      <p>
        <b>No process trains this run now.</b> {isOpen ? "Decide above, then continue with:" : "Continue with:"}
      </p>
      <Command>{commandOf(`resume ${quoted(argument)}`)}</Command>
    </div>
  );
}
