/** Reads a YAML text into plain values and remembers the line of each. */
import { isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { messageOf, UsageError } from "./errors.ts";

/** The position of a value in a document: keys and indices from the top. */
export type Path = readonly (string | number)[];

export interface Source {
  readonly file: string;
  /** The top-level keys and values. */
  readonly root: Record<string, unknown>;
  /** Whether the text has a value at this path. */
  has(path: Path): boolean;
  /** Line of the key (or list entry) at this path, or of the nearest enclosing one that the text has. */
  lineOf(path: Path): number;
  /** Mistakes that do not keep the text from being read: duplicate keys, each with its line. */
  readonly mistakes: readonly string[];
  /** Paths of the duplicate keys: a reader sees only the last of their values. */
  readonly repeated: readonly Path[];
  /** Paths of the keys with nothing after the colon: YAML reads them as null, though nobody wrote null. */
  emptyValues(): Path[];
}

/** Aliases that a text may resolve to before it counts as a bomb; the default of the `yaml` library. */
const maxAliasCount = 100;

/** What a text is called in messages. */
export interface SourceWords {
  readonly what: string;
  /** Where someone with an empty file can start. */
  readonly start: string;
  /** What the top level contains. */
  readonly top: string;
}

const ofConfiguration: SourceWords = {
  what: "a configuration",
  start: "Start from a copy of examples/helpdesk/pipeline.yaml; docs/config.md lists every key.",
  top: "keys and values at the top, such as `seed: 1`",
};

/** Parses a YAML text. Throws UsageError, with file and line, if the text is empty, not YAML, or not keys and values. */
export function readSource(text: string, file: string, words: SourceWords = ofConfiguration): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const fail = (offset: number, message: string, hint?: string): never => {
    throw new UsageError(`${file}:${lineAt(offset)}: ${message}`, hint);
  };

  const duplicates = document.errors.filter((error) => error.code === "DUPLICATE_KEY");
  const broken = document.errors.find((error) => error.code !== "DUPLICATE_KEY") ?? document.warnings[0];
  // What follows a syntax error is mostly a consequence of it, so only the first is shown.
  if (broken?.code === "MULTIPLE_DOCS")
    fail(broken.pos[0], `a second document begins here; ${words.what} is one`, "Remove the line ---.");
  if (broken) fail(broken.pos[0], `not valid YAML: ${broken.message.split("\n")[0]}`);
  const mistakes = duplicates.map(({ pos }) => {
    const key = /^["']?([^\s:"']+)/.exec(text.slice(pos[0]))?.[1] ?? "";
    return `${file}:${lineAt(pos[0])}: the key "${key}" is given twice in the same section; keep one of them`;
  });
  let firstAlias = 0;
  visit(document, {
    Pair: (_, pair) => {
      const key = pair.key as Node;
      if (isCollection(key)) fail(key.range?.[0] ?? 0, "a key must be plain text, not a list or a section");
    },
    Alias: (_, alias) => {
      firstAlias ||= alias.range?.[0] ?? 0;
      if (!alias.resolve(document))
        fail(alias.range?.[0] ?? 0, `the alias *${alias.source} has no anchor &${alias.source} before it`);
    },
  });
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    fail(0, "the file is empty", words.start);
  }
  if (!isMap(document.contents)) fail(document.contents?.range[0] ?? 0, `expected ${words.top}`, words.start);

  const offsetOf = (path: Path): { offset: number; complete: boolean } => {
    let node: unknown = document.contents;
    let offset = (document.contents as Node).range?.[0] ?? 0;
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(document);
      const pair = isMap(node)
        ? node.items.find((item) => String((item.key as { value?: unknown }).value) === String(key))
        : undefined;
      const found: unknown = pair ? pair.key : isSeq(node) ? node.items[Number(key)] : undefined;
      if (found === undefined) return { offset, complete: false };
      offset = (found as Node).range?.[0] ?? offset;
      node = pair ? pair.value : found;
    }
    return { offset, complete: true };
  };
  return {
    file,
    root: plainValues(),
    mistakes,
    repeated: duplicates.length > 0 ? repeatedBelow(document.contents, []) : [],
    has: (path) => offsetOf(path).complete,
    lineOf: (path) => lineAt(offsetOf(path).offset),
    emptyValues: () => emptyBelow(document.contents, []),
  };

  function plainValues(): Record<string, unknown> {
    try {
      return document.toJS({ maxAliasCount });
    } catch (error) {
      return fail(firstAlias, `the aliases cannot be expanded: ${messageOf(error)}`, "Write the values out.");
    }
  }
}

function repeatedBelow(node: unknown, path: Path): Path[] {
  if (isSeq(node)) return node.items.flatMap((item, i) => repeatedBelow(item, [...path, i]));
  if (!isMap(node)) return [];
  const names = node.items.map(({ key }) => String((key as { value?: unknown }).value));
  return node.items.flatMap(({ value }, i) => {
    const place = [...path, names[i]!];
    return names.indexOf(names[i]!) < i ? [place] : repeatedBelow(value, place);
  });
}

function emptyBelow(node: unknown, path: Path): Path[] {
  if (isSeq(node)) return node.items.flatMap((item, i) => emptyBelow(item, [...path, i]));
  if (!isMap(node)) return [];
  return node.items.flatMap(({ key, value }) => {
    const place = [...path, String((key as { value?: unknown }).value)];
    const empty = value === null || (isScalar(value) && value.value === null && !value.source);
    return empty ? [place] : emptyBelow(value, place);
  });
}
