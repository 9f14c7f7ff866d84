/** Hashes of the files that a configuration reads: a cell whose rows or functions changed is a different cell. */
import type { Config } from "../config/index.ts";
import { sha256OfText } from "../config/run-manifest.ts";
import { hashFunction } from "../reward/function-hash.ts";
import { fingerprintData } from "../trainer/data-record.ts";

/** Files do not change during a call. */
const known = new Map<string, string>();

/** SHA-256 of all rows, and of the functions with what they import. Throws DataError and RewardError for files that cannot be read. */
export function hashInputs({ sft, reward, ppo, evaluation, control, ...rest }: Config): string {
  const functions = [...(ppo?.rewards ?? []), ppo?.gold].flatMap((one) => (one?.kind === "function" ? [one.path] : []));
  const key = JSON.stringify([
    ...[sft?.data, sft?.evaluation, reward?.data, reward?.evaluation, ppo?.prompts, evaluation.prompts],
    ...[control.monitor.prompts, control.probes.ratings, functions],
  ]);
  const found = known.get(key);
  if (found !== undefined) return found;
  const rows = fingerprintData({ sft, reward, ppo, evaluation, control, ...rest });
  const hash = sha256OfText(JSON.stringify([rows, functions.map(hashFunction)]));
  known.set(key, hash);
  return hash;
}
