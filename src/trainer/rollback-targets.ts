/** Which healthy checkpoints are kept for rollbacks, whatever `keep` says. */

/**
 * The healthy checkpoints (steps done, oldest first) to keep after another one at `step`: the start, the newest, and between them one that is older than
 * all that the rules look back on (`reach`, an iteration) and the one that will be: an incident may have begun long before it is seen. At most four.
 */
export function rollbackTargets(targets: readonly number[], step: number, reach: number): number[] {
  const [start, ...later] = targets.filter((one) => one < step);
  if (start === undefined) return [step];
  const [old, next] = later;
  if (old === undefined || next === undefined) return [start, ...later, step];
  // The next one is old enough to take the old one's place.
  return next <= reach ? [start, ...later.slice(1), step] : [start, old, next, step];
}
