/** The event in a run's record that says why it failed. */
import type { EventRecord } from "../types/records.ts";
import { BallastError, messageOf } from "../util/errors.ts";
import { remedyFor, systemFault } from "../util/system-faults.ts";

/** Has what the user was told: the message, and the hint, if there is one, as `hint` of its data; `RUN` in it stands for the run. */
export function failureEvent(thrown: unknown, where: Pick<EventRecord, "stage" | "iteration">): EventRecord {
  const error = thrown instanceof BallastError ? thrown : (systemFault(thrown) ?? thrown);
  const hint = error instanceof BallastError ? (error.hint ?? remedyFor(error.cause)) : undefined;
  return { kind: "error", ...where, message: messageOf(error), data: { failed: true, ...(hint && { hint }) } };
}
