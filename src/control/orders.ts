/** What the controller orders the trainer to do at once. */
import type { Alert } from "../types/alerts.ts";
import type { Action } from "./rules/rule.ts";

export interface Orders {
  /** Save, and wait for the operator: tier 1, or a rule whose action is to pause. */
  readonly stop: Alert | null;
  /** End the run without asking the operator. */
  readonly end: Alert | null;
  readonly rollback: { readonly alert: Alert; readonly set: Action["set"] } | null;
  readonly mask: boolean;
  readonly skip: boolean;
  readonly endEpochs: boolean;
}

export const noOrders: Orders = { stop: null, end: null, rollback: null, mask: false, skip: false, endEpochs: false };

/** Merges two sets of orders. If both stop, end or roll back the run, the earlier set's alert holds. */
export function merged(orders: Orders, more: Partial<Orders>): Orders {
  return {
    stop: orders.stop ?? more.stop ?? null,
    end: orders.end ?? more.end ?? null,
    rollback: orders.rollback ?? more.rollback ?? null,
    mask: orders.mask || more.mask === true,
    skip: orders.skip || more.skip === true,
    endEpochs: orders.endEpochs || more.endEpochs === true,
  };
}
