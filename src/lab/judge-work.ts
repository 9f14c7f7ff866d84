/** What the present rules and diagnosis say of a run that trained without interventions: its record is replayed, nothing is trained. */
import { join } from "node:path";
import type { Decision } from "../control/decisions.ts";
import type { Finding } from "../control/doctor/index.ts";
import { replay } from "../control/replay-rules.ts";
import { fitsScale, loadRules } from "../control/rules/load-rules.ts";
import type { Action, Rule } from "../control/rules/rule.ts";
import { configOf, type RunPlace } from "../inspect/places.ts";
import { diagnosisOf, seenOf } from "../inspect/run-diagnosis.ts";
import { historyOf } from "../inspect/run-history.ts";
import { databaseOf, openStore } from "../store/index.ts";
import type { Alert } from "../types/alerts.ts";
import type { Trial } from "./trial-work.ts";
import type { Tools } from "./work-tools.ts";

export type ActionKind = Action["kind"];

export interface JudgeInput {
  /** The cell of the trial. */
  readonly trial: string;
}

export interface Judgement {
  /** Alerts of tiers 1 and 2, in order. */
  readonly alerts: readonly Pick<Alert, "rule" | "tier" | "iteration" | "signal">[];
  /** What the doctor found at the start and the look at the reward found before anything trained on it, notes left out: ids, each with its iteration. */
  readonly findings: readonly { readonly id: string; readonly iteration: number }[];
  /** The first iteration in which a rule would have acted; null if none would. */
  readonly acts: number | null;
  /** The same if only actions of one kind were taken, for the kinds that would be. */
  readonly alone: Readonly<Partial<Record<ActionKind, number>>>;
  /** The likeliest causes by their ids, the likeliest first, each once. */
  readonly causes: readonly string[];
}

export async function judgeRun({ trial }: JudgeInput, { folder, results }: Tools): Promise<Judgement> {
  const { run } = results[trial] as Trial;
  const place: RunPlace = { id: run, folder: join(folder, run), workspace: folder };
  const config = configOf(place);
  const rules = rulesFor(config);
  const store = openStore(databaseOf(folder), { readonly: true });
  try {
    const all = { limit: Number.MAX_SAFE_INTEGER, current: true };
    const consultations = store.consultations(run, all).rows;
    const { klCoef } = config.control;
    const decisions = (some: readonly Rule[], interventions: "on" | "off" = "on") =>
      replay({ rules: some, consultations, profile: "adaptive", interventions, klCoef });
    const said = decisions(rules, "off");
    const kinds = [...new Set(rules.flatMap((rule) => actionOf(rule) ?? []))];
    const alone = kinds.flatMap((kind) => {
      const first = firstAction(decisions(onlyActions(rules, kind)));
      return first === null ? [] : [[kind, first] as const];
    });
    const { found: likely } = diagnosisOf({ config, history: historyOf(store, place.id), seen: seenOf(store, place) });
    const findings = (["warning", "note"] as const).flatMap((kind) =>
      store.events(run, { ...all, kind }).rows.flatMap(({ iteration, data }) => {
        const { finding } = (data ?? {}) as { readonly finding?: Pick<Finding, "id" | "severity"> };
        return finding === undefined || finding.severity === "note" ? [] : [{ id: finding.id, iteration }];
      }),
    );
    return {
      alerts: said
        .flatMap(({ data }) => ("alert" in data ? [data.alert] : []))
        .filter(({ tier }) => tier < 3)
        .map(({ rule, tier, iteration, signal }) => ({ rule, tier, iteration, signal })),
      findings,
      acts: firstAction(decisions(rules)),
      alone: Object.fromEntries(alone),
      causes: [...new Set(likely.map(({ id }) => id))],
    };
  } finally {
    store.close();
  }
}

/** The rules that a configuration gives a run. */
export function rulesFor({ control, ppo }: ReturnType<typeof configOf>): Rule[] {
  const { rules: path, disable } = control;
  return loadRules({ path, disable, iterations: ppo!.iterations }).filter((rule) => fitsScale(rule, control));
}

/** The same rules, of which only those act whose action is of one kind; the others still speak, as tier 2. */
export function onlyActions(rules: readonly Rule[], kind: ActionKind): Rule[] {
  return rules.map((rule) => {
    const own = actionOf(rule);
    return own === null || own === kind ? rule : { ...rule, tier: 2, action: null };
  });
}

/** What the rule does: tier 1 stops the run unless it says otherwise. */
function actionOf({ tier, action }: Rule): ActionKind | null {
  return action?.kind ?? (tier === 1 ? "pause" : null);
}

function firstAction(decisions: readonly Decision[]): number | null {
  return decisions.find(({ kind }) => kind === "intervention")?.iteration ?? null;
}
