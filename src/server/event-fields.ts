/** A recorded event as the page shows it: the sentence, and its subject. */
import { hintOf } from "../inspect/run-failure.ts";
import type { EventRow } from "../store/index.ts";
import type { Alert, Intervention, InterventionOutcome, Tier } from "../types/alerts.ts";
import type { PageEvent } from "../types/page.ts";
import { cut } from "../util/cut.ts";

interface EventData {
  readonly alert?: Partial<Alert>;
  readonly intervention?: Partial<Intervention>;
  readonly outcome?: Partial<InterventionOutcome>;
  readonly incident?: unknown;
}

export function pageEvent(
  { seq, attempt, stage, iteration, kind, message, data, at, superseded }: EventRow,
  runId: string,
): PageEvent {
  const { alert, intervention, outcome, incident } = (data ?? {}) as EventData;
  const said = alert ?? intervention;
  const hint = hintOf(data, runId);
  const number = intervention?.id ?? outcome?.intervention;
  return {
    seq,
    attempt,
    stage,
    iteration,
    kind,
    message: cut(message),
    at,
    superseded,
    ...(isTier(said?.tier) && { tier: said.tier }),
    ...(typeof said?.rule === "string" && { rule: said.rule }),
    ...(typeof said?.signal === "string" && { signal: said.signal }),
    ...(typeof number === "number" && { intervention: number }),
    ...(outcome?.result !== undefined && { result: outcome.result }),
    ...(typeof incident === "number" && { incident }),
    ...(hint !== null && { hint: cut(hint) }),
  };
}

function isTier(tier: unknown): tier is Tier {
  return tier === 1 || tier === 2 || tier === 3;
}
