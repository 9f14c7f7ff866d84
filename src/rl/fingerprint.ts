/** A fingerprint of numbers that must never change, such as the reference's log-probabilities on fixed probes. */
import type { Rows } from "./token-rows.ts";

/** 32-bit FNV-1a over the float64 bytes of all numbers and the lengths of the rows: a whole number below 2^32. */
export function fingerprint(rows: Rows): number {
  let hash = 0x811c9dc5;
  for (const row of rows) {
    for (const byte of new Uint8Array(Float64Array.from([row.length, ...row]).buffer)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
  }
  return hash >>> 0;
}
