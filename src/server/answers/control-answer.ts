/** GET /api/runs/:run/control: what the stability controller watches, has done and waits for, and what an operator may do. */

import { join } from "node:path";
import { Hono } from "hono";
import { checkpointName, checkpointSteps } from "../../config/checkpoint-names.ts";
import { settingOf } from "../../config/live-changes.ts";
import { actionWords, conditionWords, type Rule } from "../../control/rules/rule.ts";
import { incidentSignals } from "../../inspect/incident-signals.ts";
import type { RunPlace } from "../../inspect/places.ts";
import { fileOf, rulesOf } from "../../inspect/run-files.ts";
import { healthOf } from "../../inspect/run-health.ts";
import { interventionsOf, isInForce } from "../../inspect/run-interventions.ts";
import { liveSettingsOf } from "../../settings/live-settings.ts";
import type { RunRow, Store } from "../../store/index.ts";
import type { IncidentRecord } from "../../types/alerts.ts";
import type { ControlAnswer, PageRule } from "../../types/page.ts";
import type { Stage } from "../../types/records.ts";
import { cut } from "../../util/cut.ts";
import { placeOf, recordedConfigOf, runOf } from "../place.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";
import { versionOf } from "../version.ts";

/** Most commands and incidents to show, the newest ones. */
const mostShown = 200;

export function controlRoutes(context: Context): Hono {
  return new Hono().get("/runs/:run/control", (c) => reply(c, controlAnswer(context, c.req.param("run"))));
}

function controlAnswer(context: Context, id: string): ControlAnswer {
  const { store } = context;
  return store.snapshot(() => {
    const run = runOf(context, id);
    const place = placeOf(context, id);
    const { control } = recordedConfigOf(run);
    const found = healthOf(store, id);
    return {
      profile: control?.profile ?? "fixed",
      interventions: control?.interventions ?? "on",
      rules: pageRules(store, { id, rules: rulesOf(place) ?? [] }),
      active: interventionsOf(store, id).filter((one) => isInForce(one, run)),
      incidents: store.incidents({ run: id, newest: mostShown }).map(shortened),
      health: found && { ...found, parts: found.parts as Record<string, number> },
      commands: store
        .commands(id, { newest: mostShown })
        .map(({ runId: _, ...command }) => ({ ...command, reason: cut(command.reason) })),
      settable: settableOf(store, run),
      checkpoints: checkpointsOf(place, run.position?.stage ?? "ppo"),
      version: versionOf(store, id),
    };
  });
}

function pageRules(store: Store, { id, rules }: { readonly id: string; readonly rules: readonly Rule[] }): PageRule[] {
  const counts = new Map(store.ruleCounts(id).map((count) => [count.rule, count]));
  return rules.map((rule) => {
    const [{ signal, above, below, statistic }] = rule.conditions;
    const { spoke = 0, acted = 0, lastSpoke = null } = counts.get(rule.id) ?? {};
    return {
      id: rule.id,
      tier: rule.tier,
      says: rule.says,
      condition: conditionWords(rule),
      // Tier 1 stops a run whatever else the rule says.
      action: rule.tier === 1 && rule.action === null ? "saved, paused" : actionWords(rule),
      signal,
      above,
      below,
      statistic,
      source: rule.source,
      spoke,
      acted,
      lastSpoke,
    };
  });
}

/** An incident with texts cut and only the shown signals: the others are in the run's own metrics. */
function shortened(incident: IncidentRecord): IncidentRecord {
  const { evidence } = incident;
  const shown = new Set([evidence.alert.signal, ...incidentSignals.map(([key]) => key)]);
  const iterations = evidence.iterations.map(({ iteration, values }) => ({
    iteration,
    values: Object.fromEntries(Object.entries(values).filter(([key]) => shown.has(key))),
  }));
  const worstSamples = evidence.worstSamples.map(({ prompt, response, score }) => ({
    prompt: cut(prompt),
    response: cut(response),
    score,
  }));
  return { ...incident, evidence: { ...evidence, iterations, worstSamples } };
}

function settableOf(store: Store, run: RunRow): ControlAnswer["settable"] {
  const stage = run.position?.stage ?? "ppo";
  const section = recordedConfigOf(run)[stage];
  if (section === undefined) return [];
  const changed = store.setValues(run.id);
  return liveSettingsOf(stage, section).map((name) => {
    const key = `${stage}.${name}`;
    const own = changed.has(key) ? changed.get(key)! : (settingOf(stage, section, key) ?? null);
    return { key, value: own as number | string | boolean | null };
  });
}

function checkpointsOf(place: RunPlace | null, stage: Stage): ControlAnswer["checkpoints"] {
  const steps = place === null ? [] : checkpointSteps(join(place.folder, stage));
  const newest = steps.at(-1);
  const state = newest === undefined ? null : fileOf(place, join(stage, checkpointName(newest), "state.json"));
  const healthy = (state as { readonly healthy?: unknown } | null)?.healthy;
  return steps.map((iteration) => ({ iteration, healthy: Array.isArray(healthy) && healthy.includes(iteration) }));
}
