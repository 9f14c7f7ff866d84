/** The value of a hyperparameter as people read it. */
import { figure } from "./format.ts";
import { printableLine } from "./sanitize.ts";

export function settingText(value: number | string | boolean | null): string {
  if (value === null) return "null";
  return typeof value === "number" ? figure(value) : printableLine(String(value));
}
