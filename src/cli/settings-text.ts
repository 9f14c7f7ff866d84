/** Formats the value of a hyperparameter for people. */

import { printableLine } from "../util/sanitize.ts";
import { figure } from "./number-format.ts";

export function settingText(value: number | string | boolean | null): string {
  if (value === null) return "null";
  return typeof value === "number" ? figure(value) : printableLine(String(value));
}
