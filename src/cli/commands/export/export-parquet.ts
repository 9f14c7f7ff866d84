/** Writes metric rows as the bytes of a Parquet file, one row group per batch, so that memory holds only one. */
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
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

/**
 * The file in pieces. Values keep NaN and the infinities, which a double can hold; the flags are written as well. Each piece is valid only until the
 * next is requested.
 */
export function* parquetBytes(batches: Iterable<readonly ExportRow[]>): Generator<Uint8Array> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: "root", num_children: COLUMNS.length },
      ...COLUMNS.map((name) => ({ name, repetition_type: "REQUIRED" as const, ...types[name] })),
    ],
  });
  for (const rows of batches) {
    if (rows.length === 0) continue;
    const cell = (name: (typeof COLUMNS)[number], row: ExportRow) => (name === "flag" ? flagOf(row.value) : row[name]);
    const columnData = COLUMNS.map((name) => ({ name, data: rows.map((row) => cell(name, row)) }));
    void writer.write({ columnData, rowGroupSize: rows.length });
    yield taken(bytes);
  }
  void writer.finish();
  yield taken(bytes);
}

/** The bytes written since the last call; `offset`, the position in the file, keeps counting. */
function taken(writer: ByteWriter): Uint8Array {
  const bytes = writer.getBytes();
  writer.index = 0;
  return bytes;
}
