/** Recognises files of rows that are not JSONL by their first bytes, and gives a command that converts them to JSONL. */
import { shellWord } from "../util/platform.ts";

export interface OtherFormat {
  /** What the file is, for example "is a Parquet file". */
  readonly what: string;
  /** How to convert it to JSONL. */
  readonly hint: string;
}

/** Number of bytes at the beginning that `otherFormat` examines. */
export const headBytes = 4096;

/** The format of a file that is not JSONL; null if its beginning may be JSONL, or is empty. */
export function otherFormat(path: string, head: Buffer): OtherFormat | null {
  if (head.length === 0) return null;
  const bytes = head.toString("latin1");
  const known = binaryFormats.find(({ start, holds }) => bytes.startsWith(start) && (holds?.test(bytes) ?? true));
  if (known) return { what: known.what, hint: known.hint(path) };
  const wide = wideEncoding(head);
  if (wide !== null) return recoded(path, `is text in ${wide}`, wide);
  if (head.includes(0))
    return { what: "is a binary file", hint: "rows are JSONL: export it as one JSON object per line" };
  return textFormat(path, head);
}

/** The command that converts text in this encoding to UTF-8. */
export function recodingCommand(path: string, encoding: string): string {
  return `iconv -f ${encoding} -t UTF-8 ${shellWord(path)} > ${shellWord(output(path))}`;
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
  { what: "is a gzip file", start: "\x1f\x8b", hint: unpacked("gzip", /\.gz$/) },
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
  { what: "is a Parquet file", start: "PAR1", hint: withPandas("read_parquet", "pandas pyarrow") },
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

function textFormat(path: string, head: Buffer): OtherFormat | null {
  const text = head
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  const first = text.split(/\r?\n|\r/, 1)[0]!;
  if (/\r(?!\n)/.test(text) && !text.includes("\n")) {
    const command = `tr '\\r' '\\n' < ${shellWord(path)} > ${shellWord(output(path))}`;
    return { what: "has line ends of old Macs, which JSONL does not allow", hint: `convert them: ${command}` };
  }
  if (text === "" || (text.startsWith("{") && first.trim() !== "{")) return null;
  if (first.trim() === "{")
    return {
      what: "has JSON objects that span several lines",
      hint: `put each on a line of its own: jq -c . ${shellWord(path)} > ${shellWord(output(path))}`,
    };
  if (/^\[\s*(\{|\]|$)/.test(text)) return { what: "is a JSON array, not JSONL", hint: arrayHint(path) };
  // A list of anything else is reported as the fault of a line.
  if (text.startsWith("[")) return null;
  if (/^<(!doctype|html|\?xml)/i.test(text))
    return { what: "is a web page or XML, not rows", hint: "download the file itself, not the page that shows it" };
  const delimiter = ["\t", ";", ","].find((one) => first.includes(one));
  if (delimiter === undefined && !/\.csv$/i.test(path)) return null;
  const name = delimiter === "\t" ? "tab-separated values" : "CSV";
  return { what: `is ${name}, not JSONL`, hint: csvHint(path, { delimiter: delimiter ?? ",", head }) };
}

function arrayHint(path: string): string {
  const script =
    'for (const row of JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))) console.log(JSON.stringify(row))';
  return `put each object on a line of its own: node -e '${script}' ${shellWord(path)} > ${shellWord(output(path))}`;
}

function csvHint(path: string, { delimiter, head }: { delimiter: string; head: Buffer }): string {
  const how = delimiter === "," ? "" : `, delimiter=${JSON.stringify(delimiter)}`;
  const encoding = isUtf8(head) ? "utf-8-sig" : "cp1252";
  const script = `import csv, json, sys; [print(json.dumps(row)) for row in csv.DictReader(open(sys.argv[1], encoding="${encoding}", newline="")${how})]`;
  return `convert it: ${python(script, path)} > ${shellWord(output(path))}`;
}

/** Whether the beginning is UTF-8; its last character may be cut. */
function isUtf8(head: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function python(script: string, path: string): string {
  return `python3 -c '${script}' ${shellWord(path)}`;
}

/** The path for the converted rows: beside the file, never overwriting it. */
function output(path: string): string {
  const target = path.replace(/(?<=[^/\\])\.\w+$/, "");
  return `${target}.jsonl` === path ? `${target}-converted.jsonl` : `${target}.jsonl`;
}
