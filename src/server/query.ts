/** The checked parameters in a request's address. */
import type { Context } from "hono";
import { type Stage, stages } from "../types/records.ts";
import { Refusal } from "./problem.ts";

/** The requested stage; PPO if none is named. */
export function stageOf(c: Context): Stage {
  const stage = c.req.query("stage") ?? "ppo";
  if (!stages.includes(stage as Stage)) throw new Refusal(400, `stage=${stage}: expected sft, reward or ppo`);
  return stage as Stage;
}

export interface WholeNumber<Otherwise> {
  readonly name: string;
  readonly otherwise: Otherwise;
  readonly min?: number;
  /** The maximum: larger numbers are reduced to it. */
  readonly max?: number;
}

export function wholeNumber<Otherwise>(
  c: Context,
  { name, otherwise, min = 0, max = Number.MAX_SAFE_INTEGER }: WholeNumber<Otherwise>,
): number | Otherwise {
  const text = c.req.query(name);
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
    throw new Refusal(400, `${name}=${text}: expected a whole number from ${min}`);
  return Math.min(value, max);
}

/** Words separated by commas. */
export function list(c: Context, name: string): string[] {
  return (c.req.queries(name) ?? []).flatMap((text) => text.split(",")).filter((word) => word !== "");
}

/** Requested metrics: `keys` separated by commas, or one `key` each, which a name with a comma requires. */
export function keysOf(c: Context): string[] {
  return [...new Set([...list(c, "keys"), ...(c.req.queries("key") ?? [])])];
}
