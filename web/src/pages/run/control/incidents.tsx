/** Incidents that wait for the operator, with the evidence and the form; and decided ones. */
import { useMemo, useRef } from "preact/hooks";
import type { IncidentRecord } from "../../../../../src/types/alerts.ts";
import { isFile } from "../../../api.ts";
import { ago, visible } from "../../../format.ts";
import { narrow } from "../../../narrow.ts";
import { hashOf } from "../../../router.ts";
import { now } from "../../../state/clock.ts";
import { Aftermath, waitsForResume } from "./aftermath.tsx";
import { decidedWords } from "./decision.ts";
import { DecisionForm, forgetDecision, showDecision, unsentReason } from "./decision-form.tsx";
import { Evidence } from "./evidence.tsx";
import { Sent } from "./sent.tsx";
import { type Steered, useSend } from "./use-control.ts";

/** Incidents that were open when the view was opened, and decisions that nobody has carried out, keep their place and say what happens next. */
export function useIncidents(steered: Steered): {
  readonly shown: readonly IncidentRecord[];
  readonly decided: readonly IncidentRecord[];
} {
  const seen = useRef(new Set<number>());
  const { incidents } = steered.control;
  for (const one of incidents) if (one.decision === null || unsentReason(one) !== "") seen.current.add(one.id);
  const newestFirst = [...incidents].reverse();
  if (waitsForResume(newestFirst[0], steered)) seen.current.add(newestFirst[0]!.id);
  return {
    shown: newestFirst.filter(({ id }) => seen.current.has(id)),
    decided: newestFirst.filter(({ id }) => !seen.current.has(id)),
  };
}

interface ListProps extends Steered {
  readonly incidents: readonly IncidentRecord[];
}

export function OpenIncidents(props: ListProps) {
  const { incidents } = props;
  if (incidents.length === 0) return <p class="quiet calm">✓ No incident waits for a decision.</p>;
  const first = incidents.find(({ decision }) => decision === null)?.id;
  return (
    <>
      {incidents.map((incident) => (
        <Incident key={incident.id} {...props} incident={incident} isFirst={incident.id === first} />
      ))}
    </>
  );
}

interface IncidentProps extends Steered {
  readonly incident: IncidentRecord;
  /** Whether it is the incident that the key opens. */
  readonly isFirst: boolean;
}

function Incident(props: IncidentProps) {
  const { incident, control, data, isFirst } = props;
  const { id, decision } = incident;
  const wasOpen = useRef(decision === null).current;
  const sender = useSend(props);
  const unsent = decision === null || sender.isBusy || sender.done !== null ? "" : unsentReason(incident);
  const evidence = useMemo(
    () => <Evidence incident={incident} rules={control.rules} runId={data.id} />,
    // An incident's record does not change, except for its decision.
    [id, data.id, control.rules.length],
  );
  return (
    <section class={`card incident ${decision === null ? "open" : ""}`} aria-label={`incident ${id}`}>
      <IncidentHead incident={incident} runId={data.id} />
      {decision === null && narrow.value && !isFile && (
        <button type="button" class="to-decision" onClick={() => showDecision(id)}>
          Decide <span aria-hidden="true">↓</span>
        </button>
      )}
      {decision === null ? (
        <div class="incident-body">
          {evidence}
          <DecisionForm {...props} key={id} isFirst={isFirst} sender={sender} />
        </div>
      ) : (
        <>
          {sender.error !== null && <Sent sender={sender} />}
          {unsent !== "" && (
            <p class="notice">
              Your reason was not sent: {unsent}{" "}
              <button type="button" class="ghost" onClick={() => forgetDecision(incident)}>
                forget it
              </button>
            </p>
          )}
          <Aftermath {...props} decision={decision} isNew={wasOpen} />
          <details>
            <summary>the evidence</summary>
            {evidence}
          </details>
        </>
      )}
    </section>
  );
}

interface HeadProps {
  readonly incident: IncidentRecord;
  readonly runId: string;
}

function IncidentHead({ incident, runId }: HeadProps) {
  const { id, decision, stage, iteration, attempt, openedAt, rule, summary, evidence } = incident;
  const isOpen = decision === null;
  return (
    <header class="incident-head">
      <h2>
        <span class={`state ${isOpen ? "bad" : "good"}`}>
          <span aria-hidden="true">{isOpen ? "■" : "✓"}</span>{" "}
          {isOpen ? (isFile ? "Waited for a decision" : "Waits for you") : "Decided"}
        </span>{" "}
        {visible(summary)}
      </h2>
      <p class="quiet">
        incident {id} · {stage} iteration {iteration} · rule{" "}
        <a href={hashOf(["runs", runId, "control"], { rule })}>{visible(rule)}</a>, tier {evidence.alert.tier} · attempt{" "}
        {attempt} · {isFile ? new Date(openedAt).toLocaleString() : ago(now.value - openedAt)}
      </p>
    </header>
  );
}

/** Decided incidents, newest first, folded. */
export function DecidedIncidents({ incidents: decided, control, data }: ListProps) {
  if (decided.length === 0) return null;
  return (
    <details class="card decided">
      <summary>
        <h2>
          Decided incidents <span class="quiet">{decided.length}</span>
        </h2>
      </summary>
      {decided.map((incident) => (
        <details key={incident.id} class="decided-one">
          <summary>
            <b>
              <span aria-hidden="true">✓</span> incident {incident.id}, {incident.stage} it {incident.iteration}:
            </b>{" "}
            {visible(incident.summary)} <span aria-hidden="true">→</span>{" "}
            <b>{visible(decidedWords(incident.decision!))}</b>{" "}
            <span class="quiet">{visible(incident.decision!.reason)}</span>
          </summary>
          <p class="quiet">
            decided {new Date(incident.decision!.decidedAt).toLocaleString()}, opened{" "}
            {new Date(incident.openedAt).toLocaleString()} by rule {visible(incident.rule)} in attempt{" "}
            {incident.attempt}
          </p>
          <Evidence incident={incident} rules={control.rules} runId={data.id} />
        </details>
      ))}
    </details>
  );
}
