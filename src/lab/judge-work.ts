/** What the present rules and diagnosis say of a run that trained without interventions: its record is replayed, nothing is trained. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/index.ts";
import type { Decision } from "../control/decisions.ts";
import { examine, type Finding, unexplained } from "../control/doctor/index.ts";
import { replay } from "../control/replay-rules.ts";
import { fitsScale, loadRules } from "../control/rules/load-rules.ts";
import type { Action, Rule } from "../control/rules/rule.ts";
import { configOf, type RunPlace } from "../inspect/places.ts";
import { diagnosisOf, seenOf } from "../inspect/run-diagnosis.ts";
import { historyOf } from "../inspect/run-history.ts";
import { gatherFacts } from "../run/doctor-facts.ts";
import { databaseOf, openStore, type Store } from "../store/index.ts";
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
    const findings = [...(await doctorNow(place, config)), ...lookAtReward(store, place)];
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

/** What the present doctor warns of at the start of the run; nothing of a fork, which no doctor saw. */
async function doctorNow({ folder }: RunPlace, config: Config): Promise<Judgement["findings"]> {
  if (!existsSync(join(folder, "doctor.json"))) return [];
  const { facts } = await gatherFacts({ config, ppo: config.ppo!, tokenBudget: null, measure: false });
  return unexplained(examine(facts)).map(({ id }) => ({ id, iteration: 0 }));
}

/** What the run's look at the reward warned of; what the doctor of its time found is left out. */
function lookAtReward(store: Store, { id: run, folder }: RunPlace): Judgement["findings"] {
  const file = join(folder, "doctor.json");
  const doctors = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Pick<Finding, "what">[]) : [];
  const events = store.events(run, { kind: "warning", limit: Number.MAX_SAFE_INTEGER, current: true }).rows;
  return events.flatMap(({ iteration, data }) => {
    const { finding } = (data ?? {}) as { readonly finding?: Finding };
    return finding === undefined || doctors.some(({ what }) => what === finding.what)
      ? []
      : [{ id: finding.id, iteration }];
  });
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
