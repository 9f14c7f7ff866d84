/** The memory of this machine, in the whole GiB that a run's machine record has. */
import { totalmem } from "node:os";

/** Memory in bytes, to the whole GiB but at least one: the machine's, or the limit of the container. */
export function machineMemory(): number {
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.max(1, Math.round(bytes / 2 ** 30)) * 2 ** 30;
}
