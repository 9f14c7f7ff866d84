/** What happens after an incident's decision: whether the trainer has carried it out, or how to continue if none runs. */
import { useEffect, useRef } from "preact/hooks";
import type { IncidentDecision, IncidentRecord } from "../../../../../src/types/alerts.ts";
import type { PageEvent, RunSummary } from "../../../../../src/types/page.ts";
import { isFile } from "../../../api.ts";
import { Command, State } from "../../../components/parts.tsx";
import { ago, visible } from "../../../format.ts";
import { now } from "../../../state/clock.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";
import { sentenceOf } from "../overview/event-words.ts";
import { decidedWords } from "./decision.ts";
import type { Steered } from "./use-control.ts";

interface AftermathProps extends Steered {
  readonly incident: IncidentRecord;
  readonly decision: IncidentDecision;
  /** Whether it was decided while this view was open. */
  readonly isNew: boolean;
}

export function Aftermath({ incident, decision, isNew, data, run, argument }: AftermathProps) {
  const { action, reason, decidedAt } = decision;
  const obeyed = obedienceOf(data.events.value, decidedAt);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // This has replaced the form that had the focus.
    if (isNew && document.activeElement === document.body) element.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div class="aftermath" role="status" tabIndex={-1} ref={element}>
      <p>
        <b>{visible(decidedWords(decision))}</b>: {visible(reason)}{" "}
        <span class="quiet">
          incident {incident.id}, {isFile ? new Date(decidedAt).toLocaleString() : ago(now.value - decidedAt)}
        </span>
      </p>
      {obeyed.length > 0 ? (
        <ul class="given">
          {obeyed.map(({ seq, message }) => (
            <li key={seq}>
              <span class="state good">
                <span aria-hidden="true">✓</span>
              </span>
              <span>{sentenceOf(message, data.id)}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p>
          <State state={run.state} /> {nextWords(action, run)}
        </p>
      )}
      {obeyed.length === 0 && action !== "stop" && !run.alive && !isFile && (
        <Command>{commandOf(`resume ${quoted(argument)}`)}</Command>
      )}
    </div>
  );
}

/** Whether the run has ended and nobody has continued it as decided. */
export function waitsForResume(newest: IncidentRecord | undefined, { data, run }: Steered): boolean {
  if (isFile || !newest?.decision || run.alive || run.state === "done" || newest.attempt !== run.attempt) return false;
  const { action, decidedAt } = newest.decision;
  return action !== "stop" && obedienceOf(data.events.value, decidedAt).length === 0;
}

/** The trainer's actions after the decision: rolled back, continued. */
function obedienceOf(events: readonly PageEvent[], decidedAt: number): PageEvent[] {
  const after = events.filter(({ at }) => at >= decidedAt);
  const next = after.findIndex(({ kind }) => kind === "incident");
  return after
    .slice(0, next < 0 ? after.length : next)
    .filter(({ kind }) => kind === "rollback" || kind === "resumed" || kind === "interrupted")
    .slice(0, 3);
}

function nextWords(action: IncidentDecision["action"], { alive, state }: RunSummary): string {
  if (action === "stop") return alive ? "The trainer saves and ends." : "The run has ended.";
  if (!alive) return "No process trains this run now. Continue with:";
  return state === "running"
    ? "The trainer continues as decided."
    : "The trainer was waiting for this and applies it now.";
}
