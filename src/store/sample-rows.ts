/** Finds samples by their text, by their prompt or by how they ended, newest first or by score, with a limit on how many are read. */
import type { Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { decodeText } from "./encode-value.ts";
import { type StoredSample, sampleOf } from "./readrows.ts";
import type { SampleRow } from "./stored-rows.ts";

/** Most rows read for one answer: their texts take a fraction of a second. */
const mostLookedAt = 20_000;

/** Rows whose texts are read at a time. */
const chunk = 250;

export interface SampleQuery {
  readonly stage: Stage;
  /** `lowest`: by score, starting with those that are not finite. `highest`: by score, ending with those. `newest` by default. */
  readonly order?: "newest" | "lowest" | "highest";
  readonly limit: number;
  /** Text to find in prompt or response, ignoring case. */
  readonly text?: string;
  /** The seq of a sample: finds samples with the same prompt. */
  readonly promptOf?: number;
  /** Only samples that ended at the length limit. */
  readonly truncated?: boolean;
  /** Only these samples, including superseded ones. */
  readonly among?: readonly number[];
  /** A further condition. */
  readonly matches?: (sample: { readonly prompt: string; readonly response: string }) => boolean;
}

export interface FoundSamples {
  readonly samples: SampleRow[];
  /** Whether there are more, or may be in rows that were not read. */
  readonly more: boolean;
}

const orders = {
  newest: "iteration DESC, attempt DESC, seq DESC",
  lowest: "score, iteration DESC, attempt DESC, seq DESC",
  highest: "score DESC, iteration DESC, attempt DESC, seq DESC",
} as const;

/** Finds samples of a run. */
export function findSamples(connection: Connection, runId: string, query: SampleQuery): FoundSamples {
  return connection.read(() => {
    const { limit, promptOf } = query;
    const prompt = promptOf === undefined ? undefined : readSample(connection, runId, promptOf)?.prompt;
    if (promptOf !== undefined && prompt === undefined) return { samples: [], more: false };
    const candidates = candidatesOf(connection, runId, query);
    const found: number[] = [];
    for (let start = 0; start < candidates.length && found.length <= limit; start += chunk)
      for (const text of textsOf(connection, candidates.slice(start, start + chunk)))
        if (holds(text, query, prompt)) found.push(text.seq);
    const samples = found.slice(0, limit).map((seq) => readSample(connection, runId, seq)!);
    return { samples, more: found.length > limit || candidates.length === mostLookedAt };
  });
}

export function readSample(connection: Connection, runId: string, seq: number): SampleRow | undefined {
  const row = connection.get<StoredSample>("SELECT * FROM sample_rows WHERE seq = ? AND run_id = ?", [seq, runId]);
  return row && sampleOf(row);
}

/** Candidates in order, read only from an index. */
function candidatesOf(connection: Connection, runId: string, query: SampleQuery): number[] {
  const { stage, order = "newest", among } = query;
  const which = among === undefined ? "NOT superseded" : "seq IN (SELECT value FROM json_each(?))";
  const sql = `SELECT seq FROM sample_rows WHERE run_id = ? AND stage = ? AND ${which} ORDER BY ${orders[order]} LIMIT ?`;
  const parameters = [runId, stage, ...(among === undefined ? [] : [JSON.stringify(among)]), mostLookedAt];
  return connection.all<{ seq: number }>(sql, parameters).map(({ seq }) => seq);
}

interface Texts {
  readonly seq: number;
  readonly prompt: string;
  readonly response: string;
  readonly truncated: boolean;
}

function textsOf(connection: Connection, seqs: readonly number[]): Texts[] {
  const sql = `SELECT seq, prompt, response, stop_reason FROM json_each(?) AS wanted CROSS JOIN samples ON seq = wanted.value
    ORDER BY wanted.key`;
  return connection
    .all<{
      seq: number;
      prompt: string | Uint8Array;
      response: string | Uint8Array;
      stop_reason: string;
    }>(sql, [JSON.stringify(seqs)])
    .map(({ seq, prompt, response, stop_reason }) => ({
      seq,
      prompt: decodeText(prompt),
      response: decodeText(response),
      truncated: stop_reason === "length",
    }));
}

function holds(sample: Texts, { text, truncated, matches }: SampleQuery, prompt: string | undefined): boolean {
  if (prompt !== undefined && sample.prompt !== prompt) return false;
  if (truncated !== undefined && sample.truncated !== truncated) return false;
  if (text !== undefined && !contains(sample, text)) return false;
  return matches?.(sample) ?? true;
}

function contains({ prompt, response }: Texts, text: string): boolean {
  const wanted = text.toLowerCase();
  return prompt.toLowerCase().includes(wanted) || response.toLowerCase().includes(wanted);
}
