/** The names of what lies on the Hugging Face Hub: `hf://[datasets/]ORG/NAME[@REVISION][/FILE]`. */
import { UsageError } from "../util/errors.ts";

export interface HubReference {
  readonly type: "model" | "dataset";
  /** `ORG/NAME`; a few old models have no organisation. */
  readonly id: string;
  /** A branch, a tag or a commit; null stands for `main`. */
  readonly revision: string | null;
  /** A file, a folder or a pattern inside; empty for all of it. */
  readonly file: string;
}

/** Whether a text names something on the Hub, and so is not a path. */
export function isHubReference(text: string): boolean {
  return /^hf:\/\//i.test(text);
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

const howToWrite =
  "Write ORG/NAME, ORG/NAME@REVISION or hf://ORG/NAME/FILE for a model, and datasets/ORG/NAME for a data set.";
/** Branches of the Hub whose names have slashes. */
const slashedBranch = /^refs\/(?:convert\/[\w.-]+|pr\/\d+)/;

/**
 * Reads `hf://...`, the same without `hf://`, or the address of a page of the Hub.
 * @param options `type`: what a name without `datasets/` is, by default a model
 * @throws UsageError if the text names nothing that the Hub could have
 */
export function parseHubReference(text: string, { type }: { type?: HubReference["type"] } = {}): HubReference {
  const wrong = (why: string) => new UsageError(`${text} names nothing on the Hub: ${why}`, howToWrite);
  const body = text
    .replace(/^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\//i, "hf://")
    .replace(/^(hf:\/\/[^@]*?)\/(?:tree|blob|resolve|raw)\/([^/?#]+)/i, "$1@$2")
    .replace(/^hf:\/\//i, "")
    .replace(/[?#].*$|\/+$/g, "");
  const [, kind, rest = ""] = /^(?:(datasets|models|spaces|kernels|buckets)\/)?(.*)$/s.exec(body)!;
  if (kind !== undefined && kind !== "datasets" && kind !== "models")
    throw wrong(`${kind} hold neither models nor rows`);
  const [name = "", after] = rest.split(/@(.*)/s);
  const parts = name.split("/");
  const id = parts.slice(0, 2).join("/");
  checkId(id, wrong);
  let file = parts.slice(2).join("/");
  let revision: string | null = null;
  if (after !== undefined) {
    if (file !== "") throw wrong("a revision follows the name, before the file");
    const slashed = slashedBranch.exec(after)?.[0];
    const [branch = ""] = slashed === undefined ? after.split("/") : [slashed];
    file = after.slice(branch.length + 1);
    revision = decoded(branch);
    checkRevision(revision, wrong);
  }
  checkFile(file, wrong);
  return {
    type: kind === "datasets" ? "dataset" : kind === "models" ? "model" : (type ?? "model"),
    id,
    revision,
    file,
  };
}

/** The reference as `hf://...`, which `parseHubReference` reads. */
export function hubReferenceText({ type, id, revision, file }: HubReference): string {
  const branch = revision === null || slashedBranch.test(revision) ? revision : revision.replaceAll("/", "%2F");
  const at = branch === null ? "" : `@${branch}`;
  return `hf://${type === "dataset" ? "datasets/" : ""}${id}${at}${file === "" ? "" : `/${file}`}`;
}

/** Whether the part after the revision is a pattern, not the name of a file or folder. */
export function isFilePattern(file: string): boolean {
  return /[*?[\]{}]/.test(file);
}

/** Whether a name inside a repository stays inside a folder that it is joined to, on every platform. */
export function isInside(file: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none belongs into the name of a file.
  if (file === "" || /[\\:\u0000-\u001f]/.test(file)) return false;
  return file.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The Hub's rules for names, as `huggingface_hub` checks them. */
function checkId(id: string, wrong: (why: string) => UsageError): void {
  const parts = id.split("/");
  if (!parts.every((part) => /^[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/.test(part)))
    throw wrong(`"${id}" is not ORG/NAME in letters, digits, dots, dashes and underscores`);
  if (/--|\.\.|\.git$/.test(id)) throw wrong(`"${id}" has "--", ".." or ".git", which no name there has`);
}

/** A revision becomes the name of a file in the cache. */
function checkRevision(revision: string, wrong: (why: string) => UsageError): void {
  if (!isInside(revision) || /[\s~^?*[]|@\{/.test(revision) || revision.startsWith("-"))
    throw wrong(`"${revision}" is not the name of a branch, a tag or a commit`);
}

function checkFile(file: string, wrong: (why: string) => UsageError): void {
  if (file !== "" && !isInside(file)) throw wrong(`"${file}" is not the name of a file in it`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
