/** Tier 1: the run stops, the evidence for the operator's decision is kept, and the decision is carried out. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkpointName } from "../config/checkpoint-names.ts";
import type { Orders } from "../control/orders.ts";
import { worstSamples } from "../trainer/online-record.ts";
import type { Experience, OnlineRun } from "../trainer/online-run.ts";
import type { Alert, IncidentRecord } from "../types/alerts.ts";
import { CheckpointError, Interrupted, RolledBack, StoppedByController } from "../util/errors.ts";
import type { Kept } from "./kept-state.ts";
import { requestRollback } from "./rollback.ts";

/** How often a waiting run looks for a decision, in milliseconds. */
const decisionPoll = 200;
/** Iterations of signals, and lowest scores, that an incident shows. */
const evidenceIterations = 20;
const evidenceSamples = 5;

/** The parts of a run that an incident needs. */
export type Watched = Pick<OnlineRun, "context" | "loop" | "state" | "control" | "tell">;

export interface ObeyOptions {
  readonly orders: Orders;
  readonly iteration: number;
  readonly experience: Experience;
  readonly before: Kept;
  /** Iterations done in the present state. */
  readonly done: number;
}

/**
 * Carries out the controller's orders once the iteration has no work in progress. True if an operator lets the run continue; otherwise throws
 * RolledBack, StoppedByController or Interrupted.
 */
export async function obey(run: Watched, options: ObeyOptions): Promise<boolean> {
  const { orders, iteration, done } = options;
  const { context, loop, state } = run;
  if (orders.end) {
    await loop.save(done);
    throw new StoppedByController(`stopped by the rule ${orders.end.rule}: ${orders.end.message}`);
  }
  if (orders.rollback && !orders.stop) {
    const { alert, set } = orders.rollback;
    const to = healthyBefore(run, alert);
    const again = state.rolledBackIn > 0 && state.rolledBackTo === to;
    if (to !== null && !again) {
      const changes = Object.entries(set).map(([key, value]) => ({ key, value }));
      requestRollback(context.folder, { to, from: iteration, rule: alert.rule, incident: null, changes });
      context.recorder.commit();
      throw new RolledBack(`${alert.message}  ->  rolled back to iteration ${to} (${alert.rule})`);
    }
    // There is no checkpoint to go back to, or the rollback led here before.
    return callOperator(run, { ...options, alert });
  }
  return orders.stop ? callOperator(run, { ...options, alert: orders.stop }) : false;
}

async function callOperator(run: Watched, options: ObeyOptions & { alert: Alert }): Promise<boolean> {
  const { context, state } = run;
  const { recorder } = context;
  const { alert, iteration } = options;
  // On resume we reach the same incident; reuse its decision.
  const known = recorder
    .incidents()
    .filter((one) => one.rule === alert.rule && one.iteration === iteration && one.attempt >= state.rolledBackIn)
    .at(-1);
  const incident = known ?? (await openIncident(run, options));
  if (incident === null)
    throw new StoppedByController(
      `${alert.message}  ->  saved, stopped; the incident could not be written yet`,
      "Free some space on the disk, then ballast resume RUN: the run stops here again.",
    );
  const { done } = options;
  return decided(run, incident.decision === null ? await awaitDecision(run, incident) : incident, done);
}

async function openIncident(run: Watched, options: ObeyOptions & { alert: Alert }): Promise<IncidentRecord | null> {
  const { context, loop, control } = run;
  const { recorder, folder, stage } = context;
  const { alert, iteration, experience, before, done } = options;
  loop.keepAsEvidence(iteration);
  await loop.save(iteration, before);
  await loop.save(done);
  const place = (step: number | null) => (step === null ? null : join(folder, checkpointName(step)));
  const recent = recorder.recent(stage, { upTo: iteration, iterations: evidenceIterations });
  const present = { iteration, values: experience.signals };
  const seen = recent.iterations.some((one) => one.iteration === iteration);
  const id = recorder.incident({
    stage,
    iteration,
    rule: alert.rule,
    summary: alert.message,
    evidence: {
      alert,
      iterations: seen ? recent.iterations : [...recent.iterations, present].slice(-evidenceIterations),
      worstSamples: worstSamples(experience.rollout, experience.record.scores, evidenceSamples),
      changes: recent.changes,
      active: control.state.active,
      checkpoints: {
        before: place(iteration),
        present: done === iteration ? null : place(done),
        lastHealthy: place(healthyBefore(run, alert)),
      },
    },
  });
  const incident = recorder.incidents().find((one) => one.id === id) ?? null;
  // Even on a full disk, the operator is notified.
  const what = incident === null ? "stopped; the incident waits for room on the disk" : `saved, paused: incident ${id}`;
  loop.event("incident", iteration, `${alert.message}  ->  ${what}`, { incident: id });
  recorder.commit();
  return incident;
}

/** Waits for the decision if the run was told to; otherwise ends the run, which is resumed after the decision. */
async function awaitDecision(
  { context, loop, tell }: Watched,
  { id, summary }: IncidentRecord,
): Promise<IncidentRecord> {
  const { recorder, wait, interrupted } = context;
  if (!wait) throw new StoppedByController(`stopped by the controller: incident ${id}, ${summary}`);
  recorder.state("paused");
  tell(`incident ${id} waits for a decision`);
  for (;;) {
    const incident = recorder.incidents().find((one) => one.id === id)!;
    if (incident.decision !== null) {
      recorder.state("running");
      return incident;
    }
    if (interrupted()) {
      loop.event("interrupted", incident.iteration, `interrupted while incident ${id} waits; the state is saved`);
      recorder.commit();
      throw new Interrupted(`interrupted while incident ${id} waits for a decision; the state is saved`);
    }
    await sleep(decisionPoll);
    // Every commit updates the heartbeat.
    recorder.commit();
  }
}

/** Carries out a decision; true if the run continues from here, with the iteration `next`. */
function decided(
  { context, loop, control }: Pick<Watched, "context" | "loop" | "control">,
  incident: IncidentRecord,
  next: number,
): boolean {
  const { id, rule, iteration } = incident;
  const { action, to, reason } = incident.decision!;
  if (action === "stop")
    throw new StoppedByController(`stopped by an operator's decision on incident ${id}: ${reason}`);
  if (action === "rollback") {
    if (to === null) throw new CheckpointError(`the decision on incident ${id} names no checkpoint to roll back to`);
    requestRollback(context.folder, { to, from: iteration, rule, incident: id, changes: [] });
    context.recorder.commit();
    throw new RolledBack(`incident ${id}: rolled back to iteration ${to} (${reason})`);
  }
  control.acknowledge(rule, { iteration, next });
  loop.event("command", iteration, `incident ${id}: the run continues (${reason})`, { incident: id });
  return true;
}

/**
 * Before the first iteration of a resumed run, carries out the decision on the incident that ended it. Throws StoppedByController if it has not been
 * decided.
 */
export function obeyEarlier(run: Omit<Watched, "tell">): void {
  const { context, loop, state } = run;
  const earlier = context.recorder
    .incidents()
    .filter(({ attempt, iteration }) => attempt >= state.rolledBackIn && iteration >= loop.first - 1);
  for (const incident of earlier) {
    const { id, summary, decision, iteration } = incident;
    if (decision === null) throw new StoppedByController(`incident ${id} waits for a decision: ${summary}`);
    // An after-scoring incident fires again when its iteration reruns, and is handled then.
    if (decision.action !== "resume" || iteration === loop.first - 1) decided(run, incident, loop.first);
  }
}

function healthyBefore({ loop }: Pick<Watched, "loop">, { since }: Alert): number | null {
  return loop.lastHealthy(since);
}
