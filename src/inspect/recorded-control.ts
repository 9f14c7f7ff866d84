/** What a run's controller was shown and decided, from its store; and what rules would decide on it. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import { type Decision, recordedDecision } from "../control/decisions.ts";
import { replaySteps } from "../control/replay-rules.ts";
import { fitsScale, type KnownRules, knownRules, knownRulesIn, usedRules } from "../control/rules/load-rules.ts";
import type { Rule } from "../control/rules/rule.ts";
import { type ConsultationRow, databaseOf, type Store, withStore } from "../store/index.ts";
import type { Said } from "../types/page.ts";
import { CheckpointError, UsageError } from "../util/errors.ts";
import { configOf, findRun, type RunPlace } from "./places.ts";
import { rulesOf } from "./run-files.ts";

export interface RecordedControl {
  readonly place: RunPlace;
  readonly config: Config;
  /** The run's own rules. */
  readonly rules: readonly Rule[];
  readonly consultations: readonly ConsultationRow[];
  readonly decided: readonly Decision[];
}

/** Throws UsageError if the run's controller has not been shown anything yet, or the run's version did not record it. */
export function readControl(run: string, workspace: string): RecordedControl {
  const place = findRun(run, workspace);
  if (!existsSync(databaseOf(place.workspace))) throw nothingYet(place);
  return withStore(place.workspace, (store) => controlOf(store, place));
}

/** Like `readControl`, but with an open store. */
export function controlOf(store: Store, place: RunPlace): RecordedControl {
  if (!existsSync(join(place.folder, "rules.json"))) throw nothingYet(place);
  const all = { limit: Number.MAX_SAFE_INTEGER, current: true };
  const consultations = store.consultations(place.id, all).rows;
  if (!consultations.some(({ point }) => point === "scored"))
    throw new UsageError(
      `run ${place.id} has no record of what its controller was shown`,
      "PPO runs record it from their first iteration on; runs of earlier versions cannot be replayed.",
    );
  const decided = store
    .events(place.id, all)
    .rows.filter(({ kind }) => kind === "alert" || kind === "outcome" || kind === "intervention")
    .map(recordedDecision);
  const rules = rulesOf(place);
  if (rules === null)
    throw new CheckpointError(
      `the recorded rules in ${place.folder} are damaged`,
      "Restore rules.json from a copy of that folder.",
    );
  return { place, config: configOf(place), rules, consultations, decided };
}

function nothingYet({ id }: RunPlace): UsageError {
  return new UsageError(`run ${id} has no PPO iterations yet`, "There is nothing to replay.");
}

/** The shipped rules and those of a file, as the run would use them. Errors: UsageError for a bad file. */
export function otherRules(recorded: Pick<RecordedControl, "config">, path: string): Rule[] {
  return inUse(recorded, knownRules(path));
}

/** Like `otherRules`, but from a text. */
export function otherRulesIn(recorded: Pick<RecordedControl, "config">, text: string): Rule[] {
  return inUse(recorded, knownRulesIn(text, "rules"));
}

function inUse({ config }: Pick<RecordedControl, "config">, known: KnownRules): Rule[] {
  const { disable } = config.control;
  const all = usedRules(known, { disable, ...(config.ppo && { iterations: config.ppo.iterations }) });
  return all.filter((rule) => fitsScale(rule, config.control));
}

export function replayOn(recorded: RecordedControl, rules: readonly Rule[]): Decision[] {
  return [...replayStepsOn(recorded, rules)].flat();
}

/** Like `replayOn`, but one consultation at a time. */
export function replayStepsOn(
  { config, consultations }: RecordedControl,
  rules: readonly Rule[],
): Iterable<readonly Decision[]> {
  const { profile, interventions, klCoef } = config.control;
  return replaySteps({ rules, consultations, profile, interventions, klCoef });
}

/** Decisions as users read them: an alert and its intervention are one entry. */
export function storyOf(decisions: readonly Decision[]): Said[] {
  const story: Said[] = [];
  const ruleOf = new Map<number, string>();
  const newest = new Map<string, number>();
  for (const { iteration, message, data } of decisions) {
    if ("alert" in data) {
      const { rule, step } = data.alert;
      newest.set(`${iteration} ${rule}`, story.length);
      story.push({ iteration, rule, kind: "said", text: message, acted: false, step });
    } else if ("intervention" in data) {
      const { id, rule } = data.intervention;
      ruleOf.set(id, rule);
      const said = newest.get(`${iteration} ${rule}`);
      if (said !== undefined) story[said] = { ...story[said]!, text: message, acted: true };
    } else {
      const rule = ruleOf.get(data.outcome.intervention) ?? "";
      story.push({ iteration, rule, kind: "outcome", text: message, acted: false, step: null });
    }
  }
  return story;
}
