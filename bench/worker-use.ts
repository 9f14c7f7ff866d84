/** What processes have used, by Linux's account of them. */
import { readFileSync } from "node:fs";

/** User and system time of processes together, in seconds: clock ticks are hundredths. */
export function cpuOf(pids: readonly (number | undefined)[]): number {
  return pids.reduce<number>((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

/** The peaks of resident memory of processes, added up, in MB. */
export function peakOf(pids: readonly (number | undefined)[]): number {
  return pids.reduce<number>((sum, pid) => {
    const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return sum + Number(kilobytes) / 1024;
  }, 0);
}
