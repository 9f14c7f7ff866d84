/** Checks an operator's decision on an incident, given as options of the command line, against the run. */

import { basename, join } from "node:path";
import { checkpointSteps } from "../config/checkpoint-names.ts";
import type { Config } from "../config/index.ts";
import { applyChange, type Change } from "../config/live-changes.ts";
import type { IncidentDecision, IncidentRecord } from "../types/alerts.ts";
import type { Stage } from "../types/records.ts";
import { UsageError } from "../util/errors.ts";
import { changeGiven } from "./command.ts";

export interface DecisionOptions {
  readonly resume?: boolean;
  /** `last-healthy`, `before`, or the number of iterations done at a checkpoint. */
  readonly rollback?: string;
  readonly stop?: boolean;
  /** Settings to change, each as `key=value`. */
  readonly set?: readonly string[];
  readonly reason?: string;
}

export interface DecisionContext {
  readonly incident: IncidentRecord;
  /** The configuration as the run's folder records it. */
  readonly config: Config;
  /** The run's folder. */
  readonly folder: string;
}

/**
 * The decision that the options stand for.
 * @throws UsageError, with what to type instead, if the trainer could not carry it out.
 */
export function decisionOf(
  options: DecisionOptions,
  context: DecisionContext,
): Omit<IncidentDecision, "decidedAt" | "operator"> {
  const { resume = false, rollback, stop = false, set = [], reason = "" } = options;
  const wanted = [
    ...(resume ? (["resume"] as const) : []),
    ...(rollback === undefined ? [] : (["rollback"] as const)),
    ...(stop ? (["stop"] as const) : []),
  ];
  const [action] = wanted;
  if (action === undefined || wanted.length > 1)
    throw new UsageError(
      action === undefined
        ? "the decision is missing"
        : `${wanted.map((one) => `--${one}`).join(" and ")} cannot be combined`,
      "Give one of --resume, --rollback last-healthy|before|N and --stop.",
    );
  if (reason.trim() === "")
    throw new UsageError(
      "a decision needs a reason",
      'Say why with --reason "...": it appears in the record and in the report.',
    );
  if (stop && set.length > 0)
    throw new UsageError(
      `--stop with --set ${set[0]}: a stopped run has no settings to change`,
      "Leave --set out, or continue with --resume or --rollback.",
    );
  return {
    action,
    to: rollback === undefined ? null : rollbackTarget(rollback, context),
    changes: changesOf(set, context),
    reason: reason.trim(),
  };
}

/** The present place of a checkpoint in the evidence: the run may have moved since. */
export function checkpointPlace(path: string, { folder, stage }: { folder: string; stage: Stage }): string {
  return join(folder, stage, basename(path));
}

function rollbackTarget(text: string, { incident, folder }: DecisionContext): number {
  const { id, stage, evidence } = incident;
  const { before, lastHealthy } = evidence.checkpoints;
  const known: Readonly<Record<string, string | null>> = { before, "last-healthy": lastHealthy };
  const there = checkpointSteps(join(folder, stage));
  const choice = there.length === 0 ? "No checkpoint is left." : `There are: ${there.join(", ")}.`;
  if (Object.hasOwn(known, text)) {
    const path = known[text] as string | null;
    if (path === null) throw new UsageError(`incident ${id} has no checkpoint ${text}`, choice);
    const to = Number(basename(path).slice("checkpoint-".length));
    if (!there.includes(to))
      throw new UsageError(`the checkpoint ${text}, of ${to} iterations, is gone from ${join(folder, stage)}`, choice);
    return to;
  }
  if (!/^\d+$/.test(text))
    throw new UsageError(`--rollback ${text}: expected last-healthy, before or a number of iterations`, choice);
  const to = Number(text);
  if (!there.includes(to))
    throw new UsageError(`there is no checkpoint of ${to} iterations in ${join(folder, stage)}`, choice);
  return to;
}

/** The changes, each checked with the earlier ones applied. */
function changesOf(set: readonly string[], { incident: { stage }, config }: DecisionContext): Change[] {
  let section: object = config[stage] ?? {};
  return set.map((text) => {
    const change = changeGiven(text);
    section = applyChange({ config, stage, section, change });
    return change;
  });
}
