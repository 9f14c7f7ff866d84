/** Removes a run that an earlier call of the laboratory left: its cell is done again. */
import type { RunPlace } from "../inspect/places.ts";
import { lockRun } from "../run/lock.ts";
import { removeRun } from "../run/remove-run.ts";

export function clearRun(place: RunPlace): void {
  removeRun(place, lockRun(place.folder));
}
