/** Proposes a `fields` setting for a row that names its fields differently; each proposal has been tried on the row. */
import { type FieldNames, isMark } from "./published-shapes.ts";
import { RowsError } from "./row-faults.ts";

export interface NamesRequest {
  readonly row: Readonly<Record<string, unknown>>;
  /** The current names, as the configuration has them. */
  readonly fields: FieldNames;
  /** Sets of fields that each make a row, the usual one first. */
  readonly shapes: readonly (readonly string[])[];
  /** Reads the row under these names; throws RowsError. */
  readonly read: (fields: FieldNames) => unknown;
}

/** What other tools call each field. */
const usualNames: Readonly<Record<string, RegExp>> = {
  prompt: /question|instruction|query|input|problem/i,
  completion: /answer|response|output|solution|reply|chosen/i,
  messages: /conversation|dialog|chat|chosen/i,
  chosen: /prefer|accept|better|win|pos/i,
  rejected: /reject|dispreferred|worse|los|neg/i,
};

/** Names that could be mistaken for the field but mean its opposite. */
const otherNames: Readonly<Record<string, RegExp>> = {
  prompt: /chosen|reject|completion|answer|response|output/i,
  completion: /prompt|question|instruction|reject/i,
  messages: /reject/i,
  chosen: /prompt|question|instruction|reject/i,
  rejected: /prompt|question|instruction|chosen/i,
};

/** Most columns that are tried: a row may have hundreds. */
const columnsTried = 12;

export function missingHint(request: NamesRequest): string {
  const { row, fields, shapes } = request;
  for (const shape of shapes) {
    const ways = waysOf(shape, request);
    const [way] = ways;
    if (way === undefined) continue;
    const names = Object.keys(way).map((field) => `${field}: ${ways.length === 1 ? yamlWord(way[field]!) : "..."}`);
    const which =
      ways.length === 1
        ? ""
        : `, of ${ways
            .flatMap(Object.values)
            .map((column) => `"${column}"`)
            .join(", ")}`;
    return `if the file has a different name for it${which}, say so in the configuration: fields: {${names.join(", ")}}`;
  }
  const lacking = shapes.filter((shape) => shape.some((field) => (row[fields[field] ?? field] ?? null) === null));
  const needed = lacking.map((shape) => shape.map((field) => `"${fields[field] ?? field}"`).join(" and "));
  const needs = `a row needs ${needed.join(", or ")}`;
  const correct = `correct the row, or leave it out: ${needs}`;
  if (lacking.length < shapes.length) return correct;
  const named = shapes[0]!.map((field) => `--field ${field}=COLUMN`).join(" ");
  return `if the columns have other names, say which: ${named}, in a configuration below fields; else ${correct}`;
}

/**
 * Names under which the shape's fields can be read. There is one proposal if the columns have usual names, and several if only one field is
 * missing and several columns may be it; with two fields missing it is impossible to tell which is which.
 */
function waysOf(shape: readonly string[], { row, fields, shapes, read }: NamesRequest): FieldNames[] {
  const taken = [...shapes.flat(), ...Object.values(fields)];
  const free = Object.keys(row).filter((column) => row[column] !== null && !taken.includes(column) && !isMark(column));
  const absent = shape.filter((field) => (row[fields[field] ?? field] ?? null) === null);
  if (absent.length === 0) return [];
  const possible = assignments(absent, free.slice(0, columnsTried)).filter((way) =>
    Object.entries(way).every(([field, column]) => !otherNames[field]?.test(column)),
  );
  const isUsual = (way: FieldNames) => Object.entries(way).every(([field, column]) => usualNames[field]?.test(column));
  const usual = possible.filter(isUsual).find((way) => works(() => read({ ...fields, ...way })));
  if (usual) return [usual];
  return absent.length === 1 ? possible.filter((way) => works(() => read({ ...fields, ...way }))) : [];
}

/** Every way to give each field a column of its own. */
function assignments(names: readonly string[], columns: readonly string[]): FieldNames[] {
  const [first, ...others] = names;
  if (first === undefined) return [{}];
  return columns.flatMap((column) =>
    assignments(
      others,
      columns.filter((other) => other !== column),
    ).map((rest) => ({ [first]: column, ...rest })),
  );
}

function works(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof RowsError) return false;
    throw error;
  }
}

/** The name, quoted if YAML would not read it back as text. */
function yamlWord(name: string): string {
  const plain = /^[A-Za-z_]\w*$/.test(name) && !/^(null|true|false|yes|no|on|off|y|n)$/i.test(name);
  return plain ? name : JSON.stringify(name);
}
