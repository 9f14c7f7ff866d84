/**
 * Rows of a Parquet file in constant memory: every column is read page by page, all of them in step, however large the file or its row groups
 * are. hyparquet decodes the pages; its own reader is asynchronous and holds whole row groups.
 */
import { readSync } from "node:fs";
import * as zlib from "node:zlib";
import type { Compressors, DecodedArray, SchemaTree } from "hyparquet";
import { parquetMetadata, parquetSchema } from "hyparquet";
import { assembleLists, assembleNested } from "hyparquet/src/assemble.js";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, convertWithDictionary, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { getMaxDefinitionLevel, getTreePath } from "hyparquet/src/schema.js";
import { compressors as packed } from "hyparquet-compressors";
import { messageOf } from "../util/errors.ts";
import type { OpenFile } from "./file-bytes.ts";
import { wholeFile } from "./row-faults.ts";
import type { RowPlace } from "./row-types.ts";
import type { SourceRow, UnreadRow } from "./source-row.ts";

/** zlib is faster than JavaScript for what it knows; Node has Zstandard from 22.15 on. */
const zstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array }).zstdDecompressSync;
const compressors: Compressors = {
  ...packed,
  GZIP: (bytes) => zlib.gunzipSync(bytes),
  BROTLI: (bytes) => zlib.brotliDecompressSync(bytes),
  ...(zstd && { ZSTD: (bytes) => zstd(bytes) }),
};

/** The page that texts are being decoded from: one Buffer for all of them, not one each. */
let page = Buffer.alloc(0);

const parsers = {
  ...DEFAULT_PARSERS,
  stringFromBytes(bytes: Uint8Array) {
    if (!bytes) return bytes;
    if (page.buffer !== bytes.buffer) page = Buffer.from(bytes.buffer as ArrayBuffer);
    return page.toString("utf8", bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  },
};

/** Most rows that are assembled at once. */
const batchRows = 1024;
/** Bytes to read at once from a column; a larger page is read whole. */
const windowBytes = 1 << 18;

/** Throws RowsError if the file is damaged, encrypted, or has columns of kinds that hyparquet does not read. */
export function* parquetRows(open: OpenFile): Generator<UnreadRow> {
  const { path } = open;
  try {
    const metadata = footerOf(open);
    const schema = parquetSchema(metadata);
    const types = Object.fromEntries(schema.children.map((child) => [child.element.name, typeOf(child)]));
    const wide = new Set(
      schema.children.filter((child) => leavesOf(child).some(({ element }) => element.type === "INT64")),
    );
    let line = 0;
    for (const group of metadata.row_groups) {
      const columns = schema.children.map((child) => ({
        name: child.element.name,
        child,
        leaves: leavesOf(child).map((leaf) => {
          const chunk = group.columns.find(
            ({ meta_data }) => meta_data?.path_in_schema.join(".") === leaf.path.join("."),
          );
          if (!chunk?.meta_data) throw new Error(`the column ${leaf.path.join(".")} has no data`);
          return new LeafPages(open, { schemaPath: getTreePath(schema, leaf.path), meta: chunk.meta_data });
        }),
      }));
      for (let left = Number(group.num_rows); left > 0; ) {
        const leaves = columns.flatMap((column) => column.leaves);
        const rows = Math.min(left, batchRows, ...leaves.map((leaf) => leaf.ready(batchRows)));
        if (!(rows > 0)) throw new Error("a column ends before the others");
        const values = columns.map(({ child, leaves }) => {
          if (child.children.length === 0) return leaves[0]!.take(rows);
          const parts = new Map(leaves.map((leaf) => [leaf.name, leaf.take(rows)]));
          assembleNested(parts, child, parsers);
          const assembled = parts.get(child.element.name)!;
          return wide.has(child) ? (plain(assembled) as unknown[]) : assembled;
        });
        for (let i = 0; i < rows; i++) {
          const row = new ParquetRow({ path, line: ++line }, types);
          for (let c = 0; c < columns.length; c++) row.set(columns[c]!.name, values[c]![i] ?? null);
          yield row;
        }
        left -= rows;
      }
    }
  } catch (error) {
    throw wholeFile(
      `${path} cannot be read as Parquet: ${messageOf(error)}`,
      "download or copy it again; if another tool reads it, write it anew with that tool, or as JSONL",
      { cause: error },
    );
  }
}

/** Shared by the rows without numbers, which are most. */
const noNumbers: Record<string, string> = Object.freeze({});

class ParquetRow implements SourceRow, UnreadRow {
  readonly place: RowPlace;
  readonly types: SourceRow["types"];
  readonly value: Record<string, unknown> = {};
  numbers: Record<string, string> = noNumbers;

  constructor(place: RowPlace, types: SourceRow["types"]) {
    this.place = place;
    this.types = types;
  }

  set(name: string, cell: unknown): void {
    if (typeof cell === "bigint" || typeof cell === "number") {
      if (this.numbers === noNumbers) this.numbers = {};
      this.numbers[name] = String(cell);
      this.value[name] = Number(cell);
    } else this.value[name] = cell;
  }

  read(): SourceRow {
    return this;
  }

  bytes(): Buffer {
    return Buffer.from(JSON.stringify([this.value, this.numbers]));
  }
}

function footerOf({ file, bytes, gzip }: OpenFile) {
  if (gzip) throw new Error("it is inside a gzip file; Parquet has a compression of its own: unpack it first");
  const tail = readAt(file, Math.max(0, bytes - 8), 8);
  if (tail.toString("latin1", 4) === "PARE") throw new Error("it is encrypted");
  if (tail.length < 8 || tail.toString("latin1", 4) !== "PAR1") throw new Error("its end is missing");
  const length = tail.readUInt32LE(0) + 8;
  if (length > bytes) throw new Error("its footer is longer than the file");
  return parquetMetadata(readAt(file, bytes - length, length), { geoparquet: false });
}

function readAt(file: number, from: number, length: number): Buffer {
  // Never reused: decoded columns may be views of it.
  const bytes = Buffer.allocUnsafeSlow(length);
  let read = 0;
  for (let got = 1; read < length && got > 0; read += got)
    got = readSync(file, bytes, read, length - read, from + read);
  return bytes.subarray(0, read);
}

function leavesOf(tree: SchemaTree): SchemaTree[] {
  return tree.children.length === 0 ? [tree] : tree.children.flatMap(leavesOf);
}

/** The rows of one leaf column of a row group, one page at a time; lists are put together only when their rows are taken. */
class LeafPages {
  readonly name: string;
  readonly #decoder: Parameters<typeof readPage>[2];
  readonly #maxDefinition: number;
  /** Whether a row is more than one value. */
  readonly #nested: boolean;
  readonly #file: number;
  readonly #end: number;
  #at: number;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  #dictionary: DecodedArray | undefined;
  #page: Page = { definitions: [], repetitions: [], values: [] };
  #levels = 0;
  #values = 0;

  constructor(
    { file }: OpenFile,
    { schemaPath, meta }: { readonly schemaPath: SchemaTree[]; readonly meta: NonNullable<ColumnMeta> },
  ) {
    const leaf = schemaPath.at(-1)!;
    this.name = leaf.path.join(".");
    this.#maxDefinition = getMaxDefinitionLevel(schemaPath);
    this.#nested = schemaPath.length > 2 || leaf.element.repetition_type === "REPEATED";
    this.#decoder = {
      ...{ pathInSchema: leaf.path, schemaPath, element: leaf.element, type: meta.type, codec: meta.codec },
      ...{ parsers, compressors, utf8: false },
    };
    this.#file = file;
    this.#at = Number(meta.dictionary_page_offset || meta.data_page_offset);
    this.#end = this.#at + Number(meta.total_compressed_size);
  }

  /** Number of whole rows that can be taken, up to `most`; at least one unless the column is at its end. */
  ready(most: number): number {
    for (;;) {
      const rows = this.#wholeRows(most);
      if (rows > 0 || this.#at >= this.#end) return rows;
      this.#readPage();
    }
  }

  /** The values of the next rows, as hyparquet assembles them. */
  take(rows: number): DecodedArray {
    const { definitions, repetitions, values } = this.#page;
    if (!this.#nested) {
      const taken = values.slice(this.#values, this.#values + rows);
      this.#values += rows;
      return taken;
    }
    const end = this.#levelAfter(rows);
    const some = definitions.slice(this.#levels, end);
    const present =
      some.length === 0 ? end - this.#levels : some.filter((level) => level === this.#maxDefinition).length;
    const taken = assembleLists(
      [],
      some,
      repetitions.slice(this.#levels, end),
      values.slice(this.#values, this.#values + present),
      this.#decoder.schemaPath,
    );
    this.#levels = end;
    this.#values += present;
    return taken;
  }

  #wholeRows(most: number): number {
    const { definitions, repetitions, values } = this.#page;
    if (!this.#nested) return values.length - this.#values;
    if (repetitions.length === 0) return (definitions.length || values.length) - this.#levels;
    let rows = 0;
    for (let i = this.#levels + 1; i < repetitions.length && rows < most; i++) if (repetitions[i] === 0) rows++;
    // The last row may go on in the next page.
    return rows < most && this.#at >= this.#end && this.#levels < repetitions.length ? rows + 1 : rows;
  }

  #levelAfter(rows: number): number {
    const { repetitions } = this.#page;
    if (repetitions.length === 0) return this.#levels + rows;
    let end = this.#levels + 1;
    for (let left = rows; end < repetitions.length; end++) if (repetitions[end] === 0 && --left === 0) break;
    return end;
  }

  #readPage(): void {
    const header = this.#header();
    const size = header.compressed_page_size;
    if (!(size >= 0)) throw new Error("a page has no size");
    const bytes = this.#bytes(size);
    this.#at += size;
    if (header.type === "DICTIONARY_PAGE") {
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, size), offset: 0 };
      const { data } = readPage(reader, header, this.#decoder, undefined, undefined, 0);
      this.#dictionary = data && convert(data, this.#decoder);
      return;
    }
    const page = this.#pageOf(header, bytes);
    if (page === null) return;
    if (!this.#nested) {
      const { definitions, repetitions, values } = page;
      const flat = assembleLists([], definitions, repetitions, values, this.#decoder.schemaPath);
      this.#page = { definitions: [], repetitions: [], values: flat };
    } else this.#page = this.#levels < levelsOf(this.#page) ? this.#joined(page) : page;
    this.#levels = 0;
    this.#values = 0;
  }

  #pageOf(header: ReturnType<typeof parquetHeader>, bytes: Buffer): Page | null {
    const { codec } = this.#decoder;
    const v1 = header.data_page_header;
    const v2 = header.data_page_header_v2;
    if (v1) {
      const unpacked = decompressPage(bytes, header.uncompressed_page_size, codec, compressors);
      return this.#converted(readDataPage(unpacked, v1, this.#decoder), v1.encoding);
    }
    return v2 ? this.#converted(readDataPageV2(bytes, header, this.#decoder), v2.encoding) : null;
  }

  #converted({ definitionLevels, repetitionLevels, dataPage }: DataPage, encoding: Encoding): Page {
    const values = convertWithDictionary(dataPage, this.#dictionary, encoding, this.#decoder);
    return { definitions: definitionLevels ?? [], repetitions: repetitionLevels, values };
  }

  /** What is left of the current page, followed by the next. */
  #joined(next: Page): Page {
    const full = ({ definitions, values }: Page) =>
      definitions.length === 0 ? new Array<number>(values.length).fill(this.#maxDefinition) : definitions;
    return {
      definitions: [...full(this.#page).slice(this.#levels), ...full(next)],
      repetitions: [...this.#page.repetitions.slice(this.#levels), ...next.repetitions],
      values: [...this.#page.values.slice(this.#values), ...next.values],
    };
  }

  /** Reads the header at the current place and moves behind it. */
  #header(): ReturnType<typeof parquetHeader> {
    for (let length = Math.min(1 << 12, this.#end - this.#at); ; length = Math.min(length * 8, this.#end - this.#at)) {
      const bytes = this.#bytes(length);
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
      try {
        const header = parquetHeader(reader);
        this.#at += reader.offset;
        return header;
      } catch (error) {
        // Statistics with long texts make a header long.
        if (!(error instanceof RangeError) || this.#at + length >= this.#end) throw error;
      }
    }
  }

  /** The next bytes of the column, without moving. */
  #bytes(length: number): Buffer {
    const from = this.#at - this.#windowAt;
    if (from < 0 || from + length > this.#window.length) {
      const wanted = Math.min(Math.max(windowBytes, length), this.#end - this.#at);
      this.#window = readAt(this.#file, this.#at, wanted);
      this.#windowAt = this.#at;
    }
    const start = this.#at - this.#windowAt;
    if (start + length > this.#window.length) throw new Error("the file is cut short");
    return this.#window.subarray(start, start + length);
  }
}

/** A page as Dremel's levels and the values that are present; no definition levels if all are. */
interface Page {
  readonly definitions: number[];
  readonly repetitions: number[];
  readonly values: DecodedArray;
}

function levelsOf({ definitions, values }: Page): number {
  return definitions.length || values.length;
}

type DataPage = ReturnType<typeof readDataPage>;
type Encoding = Parameters<typeof convertWithDictionary>[2];
type ColumnMeta = ReturnType<typeof parquetMetadata>["row_groups"][number]["columns"][number]["meta_data"];

/** Lists and structs without bigints, which JSON does not have. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value) || value instanceof Date || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

/** A column's type as the file declares it. */
function typeOf({ element, children }: SchemaTree): string {
  if (children.length > 0) return element.logical_type?.type ?? element.converted_type ?? "group";
  return element.logical_type?.type ?? element.converted_type ?? element.type ?? "unknown";
}
