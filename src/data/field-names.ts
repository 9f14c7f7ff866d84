/** Proposes what `fields` could say for a row that has its fields under other names, having tried that it works. */
import { isShareGpt, shareGptHint } from "./conversation.ts";
import { RowsError } from "./row-faults.ts";

export type FieldNames = Readonly<Record<string, string>>;

export interface NamesRequest {
  readonly row: Readonly<Record<string, unknown>>;
  /** As the configuration has them. */
  readonly fields: FieldNames;
  /** Sets of fields, each of which makes a row, the usual one first. */
  readonly shapes: readonly (readonly string[])[];
  /** Reads the row under these names; throws RowsError. */
  readonly read: (fields: FieldNames) => unknown;
}

/** What other tools call them. Only an order among columns that all could be read. */
const usualNames: Readonly<Record<string, RegExp>> = {
  prompt: /question|instruction|query|input|problem/i,
  completion: /answer|response|output|solution|reply/i,
  messages: /conversation|dialog|chat/i,
  chosen: /prefer|accept|better|win|pos/i,
  rejected: /reject|dis|worse|los|neg/i,
};

/** Columns that are looked at: a row may have hundreds. */
const columnsTried = 12;

export function missingHint(request: NamesRequest): string {
  const { row, fields, shapes } = request;
  const found = proposed(request);
  if (found) {
    const pairs = Object.entries(found).map(([field, column]) => `${field}: ${yamlWord(column)}`);
    return `if the file has other names, say so in the configuration: fields: {${pairs.join(", ")}}`;
  }
  if (Object.values(row).some(isShareGpt)) return shareGptHint;
  const needed = shapes.map((shape) => shape.map((field) => `"${fields[field] ?? field}"`).join(" and "));
  return `correct the row, or leave it out: a row needs ${needed.join(", or ")}`;
}

/** Names for what the first shape lacks that can be completed; null where no shape can. */
function proposed({ row, fields, shapes, read }: NamesRequest): FieldNames | null {
  const taken = [...shapes.flat(), ...Object.values(fields)];
  const free = Object.keys(row).filter((column) => row[column] !== null && !taken.includes(column));
  for (const shape of shapes) {
    const absent = shape.filter((field) => (row[fields[field] ?? field] ?? null) === null);
    const ways = assignments(absent, free.slice(0, columnsTried));
    const usual = (way: FieldNames) => Object.entries(way).filter(([field, c]) => usualNames[field]?.test(c)).length;
    const found = ways.sort((a, b) => usual(b) - usual(a)).find((way) => works(() => read({ ...fields, ...way })));
    if (found && Object.keys(found).length > 0) return found;
  }
  return null;
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

/** A name as YAML reads it back as text. */
function yamlWord(name: string): string {
  const plain = /^[A-Za-z_]\w*$/.test(name) && !/^(null|true|false|yes|no|on|off|y|n)$/i.test(name);
  return plain ? name : JSON.stringify(name);
}
