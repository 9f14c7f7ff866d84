/** Metric rows as a Parquet file, a row group a batch, so that memory holds one. */
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import { COLUMNS, type ExportRow, flagOf } from "./export-rows.ts";

const types = {
  run: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  attempt: { type: "INT32" },
  stage: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  iteration: { type: "INT32" },
  key: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  value: { type: "DOUBLE" },
  flag: { type: "INT32" },
  superseded: { type: "BOOLEAN" },
} as const satisfies Record<(typeof COLUMNS)[number], object>;

/** Values keep NaN and the infinities, which a double can hold; the flags stand beside them all the same. */
export function writeParquet(path: string, batches: Iterable<readonly ExportRow[]>): number {
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: [
      { name: "root", num_children: COLUMNS.length },
      ...COLUMNS.map((name) => ({ name, repetition_type: "REQUIRED" as const, ...types[name] })),
    ],
  });
  let count = 0;
  for (const rows of batches) {
    if (rows.length === 0) continue;
    count += rows.length;
    const cell = (name: (typeof COLUMNS)[number], row: ExportRow) => (name === "flag" ? flagOf(row.value) : row[name]);
    const columnData = COLUMNS.map((name) => ({ name, data: rows.map((row) => cell(name, row)) }));
    void writer.write({ columnData, rowGroupSize: rows.length });
  }
  void writer.finish();
  return count;
}
