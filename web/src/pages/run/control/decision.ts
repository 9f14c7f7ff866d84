/** A decision on an incident while it is typed: what is missing, what is sent, and the equivalent command. */
import type { IncidentDecision, IncidentRecord } from "../../../../../src/types/alerts.ts";
import type { ControlAnswer, NewPageDecision } from "../../../../../src/types/page.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";

export interface DecisionDraft {
  readonly action: IncidentDecision["action"];
  /** For a rollback: `last-healthy`, `before` or the number of iterations done at a checkpoint. */
  readonly to: string;
  readonly set: readonly SettingDraft[];
  readonly reason: string;
}

export interface SettingDraft {
  readonly key: string;
  readonly value: string;
}

export interface Target {
  /** The target as the command names it. */
  readonly to: string;
  readonly says: string;
  /** Iterations done at the target; null if the incident does not say. */
  readonly iteration: number | null;
  /** Whether its folder still exists. */
  readonly isThere: boolean;
}

/** Targets of a rollback: those that the incident names, then every other checkpoint, the newest first. */
export function targetsOf(
  { evidence, iteration }: Pick<IncidentRecord, "evidence" | "iteration">,
  checkpoints: ControlAnswer["checkpoints"],
): Target[] {
  const there = new Map(checkpoints.map((one) => [one.iteration, one]));
  const { lastHealthy, before } = evidence.checkpoints;
  const named = [
    { to: "last-healthy", says: "the last healthy checkpoint", place: lastHealthy },
    { to: "before", says: `before iteration ${iteration}`, place: before },
  ].flatMap(({ to, says, place }): Target[] => {
    const at = place === null ? null : iterationsAt(place);
    return at === null ? [] : [{ to, says, iteration: at, isThere: there.has(at) }];
  });
  const others = [...checkpoints]
    .filter((one) => !named.some((target) => target.iteration === one.iteration))
    .sort((a, b) => b.iteration - a.iteration)
    .map((one) => ({
      to: String(one.iteration),
      says: `checkpoint of ${one.iteration}${one.healthy ? ", healthy" : ""}`,
      iteration: one.iteration,
      isThere: true,
    }));
  return [...named, ...others];
}

/** Iterations done at a checkpoint: `…/checkpoint-000020` has 20. */
export function iterationsAt(place: string): number | null {
  const found = /checkpoint-(\d+)\/?$/.exec(place)?.[1];
  return found === undefined ? null : Number(found);
}

/** The decision that loses least: back to the last healthy state, if possible. */
export function firstDraft(targets: readonly Target[]): DecisionDraft {
  const target = targets.find(({ isThere }) => isThere);
  return { action: target === undefined ? "resume" : "rollback", to: target?.to ?? "", set: [], reason: "" };
}

/** What to do before the decision can be sent, in one sentence; null if nothing is missing. */
export function missingOf(draft: DecisionDraft): string | null {
  if (draft.action === "rollback" && draft.to === "") return "Choose the checkpoint to go back to.";
  if (settingsOf(draft).some(({ value }) => value.trim() === ""))
    return "Each setting that is to change needs a value.";
  if (draft.reason.trim() === "") return "A decision needs a reason: it appears in the record and in the report.";
  return null;
}

export function bodyOf(draft: DecisionDraft): NewPageDecision {
  const set = settingsOf(draft).map(({ key, value }) => `${key}=${value.trim()}`);
  return {
    action: draft.action,
    ...(draft.action === "rollback" && { to: draft.to }),
    ...(set.length > 0 && { set }),
    reason: draft.reason.trim(),
  };
}

/** The equivalent command, with `...` for what is not typed yet. */
export function resolveCommand(incident: number, draft: DecisionDraft): string {
  const { action, to, reason } = draft;
  const choice = action === "rollback" ? `--rollback ${to === "" ? "..." : quoted(to)}` : `--${action}`;
  const set = settingsOf(draft).map(({ key, value }) => `--set ${quoted(`${key}=${value.trim() || "..."}`)}`);
  const words = [`incidents resolve ${incident}`, choice, ...set, `--reason ${reasonWord(reason)}`];
  return commandOf(words.join(" "));
}

export function reasonWord(reason: string): string {
  const text = reason.trim();
  return text === "" ? '"..."' : quoted(text);
}

/** The settings to change; a run that ends has none. */
function settingsOf({ action, set }: DecisionDraft): readonly SettingDraft[] {
  return action === "stop" ? [] : set.filter(({ key }) => key !== "");
}

/** A made decision in words: `rolled back to iteration 20 with ppo.learningRate=1e-4`. */
export function decidedWords({ action, to, changes }: Pick<IncidentDecision, "action" | "to" | "changes">): string {
  const verb = { resume: "resume", rollback: `roll back to iteration ${to}`, stop: "stop" }[action];
  const set = changes.map(({ key, value }) => `${key}=${value}`).join(", ");
  return set === "" ? verb : `${verb} with ${set}`;
}

/** The button's text: the decision itself. */
export function pressWords({ action, to }: DecisionDraft, targets: readonly Target[]): string {
  if (action === "resume") return "Resume";
  if (action === "stop") return "Stop the run";
  const target = targets.find((one) => one.to === to);
  return target?.iteration == null ? "Roll back" : `Roll back to iteration ${target.iteration}`;
}
