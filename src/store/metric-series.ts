/** Answers charts: one metric of a run over iterations, from single values if there are few and from rollups if there are many. */
import type { Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { supersededFrom } from "./database-schema.ts";
import { decodeDoubles, encodeText, numberOf } from "./encode-value.ts";
import { addRollup, addValue, blockSize, emptyRollup, type Rollup, widthOf } from "./rollup.ts";
import type { Series, SeriesPoint, SeriesQuery } from "./stored-rows.ts";

export interface SeriesName {
  readonly runId: string;
  readonly stage: Stage;
  readonly key: string;
}

/** Iterations [from, to) of a row of the series table. */
interface Range {
  readonly series: number;
  readonly from: number;
  readonly to: number;
}

/** The current part of one attempt's values that was requested. */
interface Segment extends Range {
  /** Values before this iteration are in blocks and rollups; the rest, less than a block, only in rows. */
  readonly closed: number;
  /** The values from `closed` on. */
  readonly tail: readonly Value[];
}

interface Value {
  readonly iteration: number;
  readonly value: number;
}

export function createMetricSeries(connection: Connection) {
  return {
    /**
     * The current values of one metric, without superseded ones.
     *
     * Points are single values if there are few, else buckets of a power of two of iterations, so narrow that there are about `maxPoints` of them
     * and never more. A bucket keeps its extremes, so that a spike in one iteration survives.
     */
    series(
      runId: string,
      stage: Stage,
      key: string,
      { from = 0, to = Number.POSITIVE_INFINITY, maxPoints = 1000 }: SeriesQuery = {},
    ): Series {
      return connection.read(() => {
        const segments = readSegments(connection, { runId, stage, key }, { from, to });
        const width = widthFor(connection, segments, Math.max(1, maxPoints));
        const points = new Map<number, Rollup>();
        const rollupAt = (iteration: number): Rollup => {
          const bucket = Math.floor(iteration / width);
          let rollup = points.get(bucket);
          if (rollup === undefined) {
            rollup = emptyRollup();
            points.set(bucket, rollup);
          }
          return rollup;
        };
        let level = 0;
        while (widthOf(level + 1) <= width) level++;
        for (const segment of segments) {
          gather(connection, { ...segment, to: Math.min(segment.to, segment.closed) }, { level, rollupAt });
          for (const { iteration, value } of segment.tail) addValue(rollupAt(iteration), value);
        }
        return { width, points: [...points].map(([bucket, rollup]) => pointOf(bucket, width, rollup)) };
      });
    },
  };
}

/** The newest current value of one metric; undefined if it has none. */
export function readLastValue(connection: Connection, name: SeriesName): Value | undefined {
  const range = { from: 0, to: Number.POSITIVE_INFINITY };
  for (const segment of readSegments(connection, name, range).reverse()) {
    const newest = segment.tail.at(-1);
    if (newest) return newest;
    // Usually the last block; an earlier one if everything in the last is superseded.
    for (let to = Math.min(segment.to, segment.closed); to > 0; ) {
      const last = connection.get<{ block: number }>(
        "SELECT max(block) AS block FROM blocks WHERE series = ? AND block < ? HAVING max(block) IS NOT NULL",
        [segment.series, Math.ceil(to / blockSize)],
      );
      if (last === undefined) break;
      const from = last.block * blockSize;
      let found: Value | undefined;
      readBlocks(connection, { ...segment, from, to }, (value, iteration) => {
        found = { iteration, value };
      });
      if (found) return found;
      to = from;
    }
  }
  return undefined;
}

/** Segments in order of iteration: the current parts of attempts follow one another. */
function readSegments(connection: Connection, name: SeriesName, { from, to }: { from: number; to: number }): Segment[] {
  const { runId, stage, key } = name;
  return connection
    .all<{ id: number; attempt: number; ends: number | null; newest: number }>(
      `SELECT id, attempt, ${supersededFrom("series")} AS ends,
         (SELECT max(iteration) FROM spans
          WHERE run_id = series.run_id AND attempt = series.attempt AND stage = series.stage) AS newest
       FROM series WHERE run_id = ? AND stage = ? AND key = ? ORDER BY attempt`,
      [runId, stage, encodeText(key)],
    )
    .map(({ id, attempt, ends, newest }) => {
      const closed = Math.floor(newest / blockSize) * blockSize;
      const segment = { series: id, from, to: Math.min(to, ends ?? to, newest + 1), closed };
      return { ...segment, tail: readTail(connection, { name, attempt, ...segment }) };
    })
    .filter((segment) => segment.from < segment.to);
}

function widthFor(connection: Connection, segments: readonly Segment[], maxPoints: number): number {
  if (maxPoints === Number.POSITIVE_INFINITY) return 1;
  let values = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = -1;
  for (const segment of segments) {
    const { series, from, to, closed, tail } = segment;
    const blocks = [series, Math.floor(from / blockSize), Math.ceil(Math.min(to, closed) / blockSize)];
    const range = "FROM blocks WHERE series = ? AND block >= ? AND block < ?";
    const found = connection.get<{ first: number | null; last: number | null; n: number | null }>(
      `SELECT (SELECT min(block) ${range}) AS first, (SELECT max(block) ${range}) AS last,
         (SELECT sum(bytes) / 8 FROM (SELECT length("values") AS bytes ${range} LIMIT ?)) AS n`,
      [...blocks, ...blocks, ...blocks, maxPoints + 1],
    )!;
    if (found.first !== null && found.last !== null) {
      first = Math.min(first, Math.max(from, found.first * blockSize));
      last = Math.max(last, Math.min(to, (found.last + 1) * blockSize) - 1);
    }
    if (tail.length > 0) {
      first = Math.min(first, tail[0]!.iteration);
      last = Math.max(last, tail[tail.length - 1]!.iteration);
    }
    values += (found.n ?? 0) + tail.length;
  }
  if (values <= maxPoints) return 1;
  let width = 2;
  while (Math.floor(last / width) - Math.floor(first / width) + 1 > maxPoints) width *= 2;
  return width;
}

interface Target {
  readonly level: number;
  readonly rollupAt: (iteration: number) => Rollup;
}

/** Adds a closed range in order: whole buckets of `level` from rollups, the rest from the levels below and from blocks. */
function gather(connection: Connection, segment: Range, { level, rollupAt }: Target): void {
  const { from, to } = segment;
  if (from >= to) return;
  if (level === 0) {
    readBlocks(connection, segment, (value, iteration) => addValue(rollupAt(iteration), value));
    return;
  }
  const width = widthOf(level);
  const first = Math.ceil(from / width);
  const end = Math.max(first, Math.floor(to / width));
  const below = { level: level - 1, rollupAt };
  gather(connection, { ...segment, to: Math.min(to, first * width) }, below);
  for (const row of connection.all<StoredRollup>(
    "SELECT * FROM rollups WHERE series = ? AND level = ? AND bucket >= ? AND bucket < ? ORDER BY bucket",
    [segment.series, level, first, end],
  ))
    addRollup(rollupAt(row.bucket * width), rollupOf(row));
  gather(connection, { ...segment, from: end * width }, below);
}

/** Visits the values of [from, to) that blocks hold, in order. */
function readBlocks(
  connection: Connection,
  { series, from, to }: Range,
  visit: (value: number, iteration: number) => void,
): void {
  for (const row of connection.all<{ block: number; present: number; values: Uint8Array }>(
    `SELECT block, present, "values" FROM blocks WHERE series = ? AND block >= ? AND block < ? ORDER BY block`,
    [series, Math.floor(from / blockSize), Math.ceil(to / blockSize)],
  )) {
    const values = decodeDoubles(row.values);
    for (let offset = 0, index = 0; offset < blockSize; offset++) {
      if ((row.present & (1 << offset)) === 0) continue;
      const iteration = row.block * blockSize + offset;
      const value = values[index++]!;
      if (iteration >= from && iteration < to) visit(value, iteration);
    }
  }
}

/** The values of [from, to) that are not in a block yet. */
function readTail(
  connection: Connection,
  options: Range & { name: SeriesName; attempt: number; closed: number },
): Value[] {
  const { name, attempt, series, from, to, closed } = options;
  return connection
    .all<{ iteration: number; value: number | null; flag: number }>(
      `SELECT m.iteration, m.value, m.flag FROM spans AS p CROSS JOIN metrics AS m ON m.seq BETWEEN p.first_seq AND p.last_seq
       WHERE p.run_id = ? AND p.attempt = ? AND p.stage = ? AND p.iteration >= ? AND p.iteration < ? AND m.series = ?
       ORDER BY m.iteration`,
      [name.runId, attempt, name.stage, Math.max(from, closed), to, series],
    )
    .map(({ iteration, value, flag }) => ({ iteration, value: numberOf(value, flag) }));
}

interface StoredRollup {
  readonly bucket: number;
  readonly count: number;
  readonly non_finite: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly sum: number | null;
  readonly last: number | null;
  readonly last_flag: number;
}

function rollupOf(row: StoredRollup): Rollup {
  return {
    count: row.count,
    nonFinite: row.non_finite,
    min: row.min === null ? Infinity : row.min,
    max: row.max === null ? -Infinity : row.max,
    // A sum that overflowed in both directions is NaN, which SQLite stores as NULL.
    sum: row.sum === null ? Number.NaN : row.sum,
    last: numberOf(row.last, row.last_flag),
  };
}

function pointOf(bucket: number, width: number, { count, nonFinite, min, max, sum, last }: Rollup): SeriesPoint {
  const finite = count > 0;
  return {
    from: bucket * width,
    to: (bucket + 1) * width,
    min: finite ? min : null,
    max: finite ? max : null,
    mean: finite ? sum / count : null,
    last,
    count: count + nonFinite,
    nonFinite,
  };
}
