/** Samples of a run: by iteration, from a cursor, or found by their text, by their prompt or by how they ended, newest first or by score, with a limit on how many are read. */
import type { SampleRecord, Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { decodeFloats, decodeJson, decodeText, numberOf } from "./encode-value.ts";
import { headOf, readFeed, type StoredHead } from "./feed.ts";
import type { Feed, FeedQuery, SampleRow } from "./stored-rows.ts";

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

export function createSampleRows(connection: Connection) {
  /** A sample of this run, superseded or not. */
  const sample = (runId: string, seq: number): SampleRow | undefined => {
    const row = connection.get<StoredSample>("SELECT * FROM sample_rows WHERE seq = ? AND run_id = ?", [seq, runId]);
    return row && sampleOf(row);
  };
  return {
    sample,

    /** The samples of a run that match a query; see `SampleQuery`. */
    findSamples(runId: string, query: SampleQuery): FoundSamples {
      return connection.read(() => {
        const { limit, promptOf } = query;
        const prompt = promptOf === undefined ? undefined : sample(runId, promptOf)?.prompt;
        if (promptOf !== undefined && prompt === undefined) return { samples: [], more: false };
        const candidates = candidatesOf(connection, runId, query);
        const found: number[] = [];
        for (let start = 0; start < candidates.length && found.length <= limit; start += chunk)
          for (const text of textsOf(connection, candidates.slice(start, start + chunk)))
            if (holds(text, query, prompt)) found.push(text.seq);
        const samples = found.slice(0, limit).map((seq) => sample(runId, seq)!);
        return { samples, more: found.length > limit || candidates.length === mostLookedAt };
      });
    },

    /** The current samples of one iteration, in the order in which they were recorded. */
    samples(runId: string, stage: Stage, iteration: number): SampleRow[] {
      return connection
        .all<StoredSample>(
          "SELECT * FROM sample_rows WHERE run_id = ? AND stage = ? AND iteration = ? AND NOT superseded ORDER BY seq",
          [runId, stage, iteration],
        )
        .map(sampleOf);
    },

    /** Samples from a cursor. */
    sampleFeed(runId: string, query?: FeedQuery): Feed<SampleRow> {
      // The plus keeps SQLite off the index by run: new rows are at the end of the table.
      const sql = "SELECT * FROM sample_rows WHERE +run_id = ? AND seq > ?";
      return readFeed(connection, { table: "samples", sql, parameters: [runId], convert: sampleOf }, query);
    },

    /** The iterations of a stage that have current samples, in order. */
    sampleIterations(runId: string, stage: Stage): number[] {
      return connection
        .all<{ iteration: number }>(
          "SELECT DISTINCT iteration FROM sample_rows WHERE run_id = ? AND stage = ? AND NOT superseded ORDER BY iteration",
          [runId, stage],
        )
        .map((row) => row.iteration);
    },
  };
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

interface StoredSample extends StoredHead {
  readonly sample: number;
  readonly reason: SampleRecord["reason"];
  readonly prompt: string | Uint8Array;
  readonly response: string | Uint8Array;
  readonly score: number | null;
  readonly score_flag: number;
  readonly kl: number | null;
  readonly kl_flag: number;
  readonly stop_reason: SampleRecord["stopReason"];
  readonly components: string;
  readonly tokens: string;
  readonly logprobs: Uint8Array;
  readonly ref_logprobs: Uint8Array;
  readonly values: Uint8Array;
  readonly advantages: Uint8Array;
}

function sampleOf(row: StoredSample): SampleRow {
  return {
    ...headOf(row),
    index: row.sample,
    prompt: decodeText(row.prompt),
    response: decodeText(row.response),
    score: numberOf(row.score, row.score_flag),
    components: decodeJson(row.components) as SampleRow["components"],
    kl: numberOf(row.kl, row.kl_flag),
    stopReason: row.stop_reason,
    tokens: decodeJson(row.tokens) as string[],
    logprobs: decodeFloats(row.logprobs),
    refLogprobs: decodeFloats(row.ref_logprobs),
    values: decodeFloats(row.values),
    advantages: decodeFloats(row.advantages),
    reason: row.reason,
  };
}
