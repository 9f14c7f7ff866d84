/** Derives blocks and rollups, from which charts are drawn, from a run's metrics again, and compares them with what is stored. */
import type { Connection } from "./connection.ts";
import { decodeDoubles, finiteOrNull, flagOf, numberOf } from "./encode-value.ts";
import { type Block, type Bucket, blockSize, closeBefore, type OpenBuckets, openBuckets } from "./rollup.ts";

interface MetricRow {
  readonly series: number;
  readonly iteration: number;
  readonly value: number | null;
  readonly flag: number;
}

interface Attempt {
  newest: number;
  readonly open: Map<number, OpenBuckets>;
}

/** Takes a run's metrics in the order in which they were written, all of them. */
export class DerivedCheck {
  readonly #connection: Connection;
  readonly #runId: string;
  readonly #fault: (text: string) => void;
  /** By attempt and stage: each closes the blocks of all of its series together. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #places = new Map<number, string>();
  #blocks = 0;
  #buckets = 0;

  constructor(connection: Connection, { runId, fault }: { runId: string; fault: (text: string) => void }) {
    this.#connection = connection;
    this.#runId = runId;
    this.#fault = fault;
    for (const { id, attempt, stage } of connection.all<{ id: number; attempt: number; stage: string }>(
      "SELECT id, attempt, stage FROM series WHERE run_id = ?",
      [runId],
    ))
      this.#places.set(id, `${attempt} ${stage}`);
  }

  add({ series, iteration, value, flag }: MetricRow): void {
    const place = this.#places.get(series) ?? "";
    const attempt = this.#attempts.get(place) ?? { newest: -1, open: new Map<number, OpenBuckets>() };
    this.#attempts.set(place, attempt);
    if (Math.floor(iteration / blockSize) > Math.floor(attempt.newest / blockSize))
      for (const [id, open] of attempt.open)
        closeBefore(open, iteration, {
          block: (block) => this.#compareBlock(id, block),
          bucket: (bucket) => this.#compareBucket(id, bucket),
        });
    attempt.newest = iteration;
    const open = attempt.open.get(series) ?? openBuckets();
    attempt.open.set(series, open);
    open.iterations.push(iteration);
    open.values.push(numberOf(value, flag));
  }

  /** Looks for blocks and buckets that no metrics explain. */
  finish(): void {
    for (const [table, count] of [
      ["blocks", this.#blocks],
      ["rollups", this.#buckets],
    ] as const) {
      const sql = `SELECT count(*) AS n FROM ${table} WHERE series IN (SELECT id FROM series WHERE run_id = ?)`;
      const { n } = this.#connection.get<{ n: number }>(sql, [this.#runId])!;
      if (n !== count) this.#fault(`${table}: ${n} rows where the metrics give ${count}`);
    }
  }

  #compareBlock(series: number, { block, iterations, values }: Block): void {
    this.#blocks++;
    const row = this.#connection.get<{ present: number; values: Uint8Array | ArrayBuffer }>(
      `SELECT present, "values" FROM blocks WHERE series = ? AND block = ?`,
      [series, block],
    );
    const present = iterations.reduce((bits, iteration) => bits | (1 << (iteration % blockSize)), 0);
    // Not by their bytes: there are many NaN, and a column keeps one.
    const stored = row === undefined ? [] : decodeDoubles(row.values);
    const equal = (a: number | undefined, b: number) => a === b || (Number.isNaN(a) && Number.isNaN(b));
    const same =
      row?.present === present &&
      stored.length === values.length &&
      values.every((value, i) => equal(stored[i], value));
    if (!same) this.#fault(`blocks: block ${block} of series ${series} is not what its metrics are`);
  }

  #compareBucket(series: number, { level, bucket, rollup }: Bucket): void {
    this.#buckets++;
    const { count, nonFinite, min, max, sum, last } = rollup;
    const row = this.#connection.get<Record<string, number | null>>(
      `SELECT count, non_finite, min, max, sum, last, last_flag FROM rollups WHERE series = ? AND level = ? AND bucket = ?`,
      [series, level, bucket],
    );
    const wanted = [
      ...[count, nonFinite, count > 0 ? min : null, count > 0 ? max : null],
      ...[sum, finiteOrNull(last), flagOf(last)],
    ];
    // The sign of zero is not kept.
    const same = row !== undefined && Object.values(row).every((value, i) => value === wanted[i]);
    if (!same)
      this.#fault(`rollups: bucket ${bucket} of level ${level} of series ${series} is not what its metrics give`);
  }
}
