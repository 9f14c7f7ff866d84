/** Tells the format of a file of rows by its first bytes; for a format that is not read it gives a command that converts it. */
import { shellWord } from "../util/platform.ts";
import type { OpenFile } from "./file-bytes.ts";
import { wholeFile } from "./row-faults.ts";

export interface FileFormat {
  readonly kind: "jsonl" | "json" | "csv" | "parquet" | "text";
  /** The format in words. */
  readonly name: string;
  /** Of CSV. */
  readonly delimiter?: string;
}

/** @throws RowsError if the file is in a format that Ballast does not read */
export function formatOf({ path, head }: Pick<OpenFile, "path" | "head">): FileFormat {
  const bytes = head.toString("latin1");
  if (bytes.startsWith("PAR1") || bytes.startsWith("PARE")) return { kind: "parquet", name: "Parquet" };
  const other = otherFormat(path, head);
  if (other) throw wholeFile(`${path} ${other.what}`, other.hint);
  return textFormat(path, head);
}

interface OtherFormat {
  /** What the file is, for example "is an Arrow file". */
  readonly what: string;
  /** How to convert it to a format that is read. */
  readonly hint: string;
}

function otherFormat(path: string, head: Buffer): OtherFormat | null {
  if (head.length === 0) return null;
  const bytes = head.toString("latin1");
  const known = binaryFormats.find(({ start, holds }) => bytes.startsWith(start) && (holds?.test(bytes) ?? true));
  if (known) return { what: known.what, hint: known.hint(path) };
  const wide = wideEncoding(head);
  if (wide !== null) return recoded(path, `is text in ${wide}`, wide);
  if (head.includes(0))
    return { what: "is a binary file", hint: "rows are JSONL, JSON, CSV, Parquet or text: export it as one of these" };
  const text = beginningOf(head);
  if (/^<(!doctype|html|\?xml)/i.test(text))
    return { what: "is a web page or XML, not rows", hint: "download the file itself, not the page that shows it" };
  if (text.startsWith("{") && /\r(?!\n)/.test(text) && !text.includes("\n")) {
    const command = `tr '\\r' '\\n' < ${shellWord(path)} > ${shellWord(output(path))}`;
    return { what: "has line ends of old Macs, which JSONL does not allow", hint: `convert them: ${command}` };
  }
  return null;
}

/** The command that converts text in this encoding to UTF-8. */
export function recodingCommand(path: string, encoding: string): string {
  return `iconv -f ${encoding} -t UTF-8 ${shellWord(path)} > ${shellWord(sameKind(path))}`;
}

interface BinaryFormat {
  readonly what: string;
  /** The file's first bytes, as Latin-1. */
  readonly start: string;
  /** What else appears near the beginning. */
  readonly holds?: RegExp;
  readonly hint: (path: string) => string;
}

const unpacked = (program: string, suffix: RegExp) => (path: string) => {
  const target = suffix.test(path) ? path.replace(suffix, "") : output(path);
  return `unpack it first: ${program} -dc < ${shellWord(path)} > ${shellWord(target)}`;
};

const withPandas = (reader: string, packages: string) => (path: string) =>
  `with pip install ${packages}: ${python(`import pandas, sys; pandas.${reader}(sys.argv[1]).to_json(sys.argv[2], orient="records", lines=True, force_ascii=False)`, path)} ${shellWord(output(path))}`;

/** Known binary formats; the first that matches counts. */
const binaryFormats: readonly BinaryFormat[] = [
  { what: "is a Zstandard file", start: "\x28\xb5\x2f\xfd", hint: unpacked("zstd", /\.zst$/) },
  { what: "is a bzip2 file", start: "BZh", hint: unpacked("bzip2", /\.bz2$/) },
  { what: "is an xz file", start: "\xfd7zXZ\0", hint: unpacked("xz", /\.xz$/) },
  {
    what: "is an Excel file",
    start: "PK\x03\x04",
    holds: /\[Content_Types\]\.xml|docProps\/|xl\//,
    hint: withPandas("read_excel", "pandas openpyxl"),
  },
  {
    what: "is a zip file",
    start: "PK\x03\x04",
    hint: (path) => `unpack it first: unzip -p ${shellWord(path)} > ${shellWord(output(path))}`,
  },
  { what: "is an Arrow file", start: "ARROW1", hint: withPandas("read_feather", "pandas pyarrow") },
  {
    what: "is an Arrow stream, as Hugging Face's datasets write them",
    start: "\xff\xff\xff\xff",
    hint: (path) =>
      `with pip install datasets: ${python("import sys; from datasets import Dataset; Dataset.from_file(sys.argv[1]).to_json(sys.argv[2])", path)} ${shellWord(output(path))}`,
  },
  {
    what: "is a pointer of Git LFS, not the file itself",
    start: "version https://git-lfs.github.com/spec/",
    hint: (path) => `in its repository: git lfs pull --include ${shellWord(path.split(/[\\/]/).at(-1)!)}`,
  },
];

/** Detects UTF-16 and UTF-32, with a byte order mark or, if every second byte of the beginning is 0, without one. */
function wideEncoding(head: Buffer): string | null {
  const mark = head.toString("latin1", 0, 4);
  if (mark === "\xff\xfe\0\0" || mark === "\0\0\xfe\xff") return "UTF-32";
  if (mark.startsWith("\xff\xfe") || mark.startsWith("\xfe\xff")) return "UTF-16";
  const pairs = Math.floor(Math.min(head.length, 64) / 2);
  const zeros = (odd: 0 | 1) =>
    Array.from({ length: pairs }, (_, i) => head[2 * i + odd]).filter((b) => b === 0).length;
  if (pairs > 0 && zeros(0) === 0 && zeros(1) === pairs) return "UTF-16LE";
  return pairs > 0 && zeros(0) === pairs && zeros(1) === 0 ? "UTF-16BE" : null;
}

function recoded(path: string, what: string, encoding: string): OtherFormat {
  return { what, hint: `convert it: ${recodingCommand(path, encoding)}` };
}

function beginningOf(head: Buffer): string {
  return head
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
}

function textFormat(path: string, head: Buffer): FileFormat {
  const text = beginningOf(head);
  const name = path.replace(/\.gz$/i, "");
  if (/\.(txt|md)$/i.test(name)) return { kind: "text", name: "text" };
  const first = text.split(/\r?\n|\r/, 1)[0]!;
  const table = /\.(csv|tsv)$/i.test(name);
  if (!table && text.startsWith("{") && first.trim() === "{")
    return { kind: "json", name: "JSON objects that span lines" };
  if (!table && /^\[\s*(\{|\]|$)/.test(text) && !/^\[.*\]\s*\n\s*\[/.test(text))
    return { kind: "json", name: "JSON array" };
  if (!table && (text === "" || /^[[{]/.test(text))) return { kind: "jsonl", name: "JSONL" };
  const delimiter = ["\t", ";", ","].map((one) => ({ one, times: first.split(one).length - 1 }));
  const [best] = delimiter.sort((a, b) => b.times - a.times);
  if (!table && best!.times === 0) return { kind: "jsonl", name: "JSONL" };
  const used = best!.times === 0 ? "," : best!.one;
  return {
    kind: "csv",
    delimiter: used,
    name: used === "\t" ? "tab-separated values" : used === "," ? "CSV" : "CSV with semicolons",
  };
}

function python(script: string, path: string): string {
  return `python3 -c '${script}' ${shellWord(path)}`;
}

/** A new file beside this one, of the same kind. */
function sameKind(path: string): string {
  const [, base, suffix] = /^(.*[^/\\])(\.\w+)$/s.exec(path) ?? ["", path, ".jsonl"];
  return `${base}-converted${suffix}`;
}

/** The path for the converted rows: beside the file, never overwriting it. */
function output(path: string): string {
  const target = path.replace(/(?<=[^/\\])\.\w+$/, "");
  return `${target}.jsonl` === path ? `${target}-converted.jsonl` : `${target}.jsonl`;
}
