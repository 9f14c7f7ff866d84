/** The form for deciding an incident: resume, roll back or stop, with changed settings and a reason; and the equivalent command. */
import type { IncidentRecord } from "../../../../../src/types/alerts.ts";
import { isFile } from "../../../api.ts";
import { Button, Command } from "../../../components/parts.tsx";
import { useKey } from "../../../keys.ts";
import { draftOf, dropDraft } from "../../../state/draft.ts";
import {
  bodyOf,
  type DecisionDraft,
  firstDraft,
  missingOf,
  pressWords,
  resolveCommand,
  type SettingDraft,
  targetsOf,
} from "./decision.ts";
import { Sent } from "./sent.tsx";
import { SettingRows } from "./setting-rows.tsx";
import type { Sender, Steered } from "./use-control.ts";

interface DecisionFormProps extends Steered {
  readonly incident: IncidentRecord;
  readonly isFirst: boolean;
  readonly sender: Sender;
}

const explained = {
  rollback: "Weights, optimizers and controllers as they were there; different random numbers from then on.",
  resume: "Continues from the present state and keeps the iteration that raised the alarm.",
  stop: "Ends the run here, for good.",
} as const;

export function DecisionForm({ incident, control, mayChange, isFirst, sender }: DecisionFormProps) {
  const targets = targetsOf(incident, control.checkpoints);
  const name = draftName(incident);
  const draft = draftOf<DecisionDraft>(name, firstDraft(targets));
  useKey(isFirst ? "d" : undefined, "decide on the incident", () => {
    showDecision(incident.id);
  });
  const value = draft.value;
  const change = (changes: Partial<DecisionDraft>) => {
    draft.value = { ...draft.peek(), ...changes };
  };
  const missing = missingOf(value);
  const command = resolveCommand(incident.id, value);
  const decide = () => {
    if (missing !== null) {
      showDecision(incident.id, value.reason.trim() === "" ? "textarea" : "input:checked");
      return;
    }
    void sender.send(`/api/incidents/${incident.id}/decision`, bodyOf(value)).then((wasTaken) => {
      if (wasTaken) dropDraft(name);
    });
  };
  if (isFile) return <NoServer command={command} />;
  const choice = (action: DecisionDraft["action"], says: string, aside: preact.ComponentChildren = null) => (
    <div class="choice">
      <label>
        <input
          type="radio"
          name={name}
          checked={value.action === action}
          disabled={action === "rollback" && !targets.some(({ isThere }) => isThere)}
          onChange={() =>
            change({ action, ...(action === "rollback" && value.to === "" && { to: firstDraft(targets).to }) })
          }
        />{" "}
        <b>{says}</b>
      </label>
      {aside}
      <p class="quiet">{explained[action]}</p>
    </div>
  );
  return (
    <form
      class="decision"
      id={formId(incident.id)}
      aria-label={`decision on incident ${incident.id}`}
      onSubmit={(event) => {
        event.preventDefault();
        if (mayChange) decide();
      }}
    >
      <h3>Your decision {isFirst && <kbd>d</kbd>}</h3>
      <fieldset>
        <legend class="unseen">what to do</legend>
        {choice(
          "rollback",
          "Roll back to",
          <select
            aria-label="checkpoint to go back to"
            value={value.to}
            disabled={targets.length === 0}
            onChange={(event) => change({ action: "rollback", to: event.currentTarget.value })}
          >
            {targets.length === 0 && <option value="">no checkpoint is left</option>}
            {targets.map(({ to, says, iteration, isThere }) => (
              <option key={to} value={to} disabled={!isThere}>
                {says}
                {/^\d+$/.test(to) ? "" : ` (${iteration} done)`}
                {isThere ? "" : ", gone"}
              </option>
            ))}
          </select>,
        )}
        {choice("resume", "Resume")}
        {choice("stop", "Stop the run")}
      </fieldset>
      {value.action !== "stop" && (
        <SettingRows
          rows={value.set}
          settable={control.settable}
          onChange={(set: readonly SettingDraft[]) => change({ set })}
        />
      )}
      <label class="reason">
        Reason <span class="quiet">required</span>
        <textarea
          rows={2}
          required
          maxLength={2000}
          value={value.reason}
          onInput={(event) => change({ reason: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && mayChange) decide();
          }}
        />
      </label>
      <Sent sender={sender} />
      <div class="press">
        <Button
          onPress={decide}
          tone={value.action === "stop" ? "bad" : "main"}
          disabled={!mayChange || sender.isBusy}
          command={command}
        >
          {pressWords(value, targets)}
        </Button>
        <span class="quiet">{missing ?? "Ctrl+Enter in the reason does the same."}</span>
      </div>
      <p class="same">
        <span class="quiet">the same in a terminal</span> <Command>{command}</Command>
      </p>
    </form>
  );
}

function draftName({ runId, id }: IncidentRecord): string {
  return `decision ${runId} ${id}`;
}

/** The reason that was typed but not sent. */
export function unsentReason(incident: IncidentRecord): string {
  return draftOf(draftName(incident), firstDraft([])).value.reason;
}

export function forgetDecision(incident: IncidentRecord): void {
  const name = draftName(incident);
  draftOf(name, firstDraft([])).value = firstDraft([]);
  dropDraft(name);
}

function formId(incident: number): string {
  return `decision-${incident}`;
}

/** Leads to the form of an incident, and to a field in it. */
export function showDecision(incident: number, field = "textarea"): void {
  const form = document.getElementById(formId(incident));
  form?.scrollIntoView({ block: "nearest" });
  form?.querySelector<HTMLElement>(field)?.focus();
}

function NoServer({ command }: { readonly command: string }) {
  return (
    <p class="same">
      <span class="quiet">It waited for a decision when this file was written. To decide:</span>{" "}
      <Command>{command}</Command>
    </p>
  );
}
