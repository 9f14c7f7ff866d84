/** Which files of a repository are needed: for a model those that Ballast reads, without twins in other formats; for a data set its rows. */
import { UsageError } from "../util/errors.ts";
import type { HubReference } from "./hub-reference.ts";

export interface FileChoice {
  /** Patterns of files to take instead of the usual ones. */
  readonly include?: readonly string[];
  /** Patterns of files to leave out. */
  readonly exclude?: readonly string[];
}

/** Configuration, tokenizer and weights, all in one folder. */
const modelFile = /^[^/]+\.(json|jinja|safetensors)$|^(tokenizer\.model|vocab\.txt|merges\.txt)$/;
/** Weights once more: Mistral's own layout, and a variant of lower precision such as `model.fp16.safetensors`. */
const twin =
  /^consolidated.*\.safetensors$|\.(fp16|bf16|fp32|int8|8bit|4bit)(-[\d-of]+)?\.safetensors(\.index\.json)?$/;
const rowFile = /(?:^|\/)[^/.][^/]*\.(parquet|jsonl|json|csv|tsv|txt)(\.gz)?$/i;
/** Descriptions of a data set that have the ending of rows. */
const noRows = /(?:^|\/)(dataset_infos?|dataset_dict|state|LICENSE|requirements)\.(json|txt)$/i;

/**
 * The names that are wanted, in the order of `files`.
 * @param files every name in the repository, with `/`
 */
export function wantedFiles(
  files: readonly string[],
  { type, file }: Pick<HubReference, "type" | "file">,
  { include, exclude = [] }: FileChoice = {},
): string[] {
  const left = exclude.map(matcherOf);
  const chosen = include === undefined ? usual(files, type, file) : files.filter(anyOf(include.map(matcherOf)));
  return chosen.filter((name) => !left.some((pattern) => pattern.test(name)));
}

function usual(files: readonly string[], type: HubReference["type"], file: string): string[] {
  if (files.includes(file)) return [file];
  if (file !== "") {
    const pattern = matcherOf(file);
    const matching = files.filter((name) => pattern.test(name));
    if (matching.length > 0) return matching;
  }
  const below = file === "" ? "" : `${file}/`;
  const inside = files.filter((name) => name.startsWith(below));
  if (type === "dataset") return inside.filter((name) => rowFile.test(name) && !noRows.test(name));
  const own = inside.filter((name) => modelFile.test(name.slice(below.length)));
  const weights = own.filter((name) => name.endsWith(".safetensors"));
  // Without the others a twin is the only copy.
  const twins = weights.filter((name) => twin.test(name.slice(below.length)));
  const whole = own.includes(`${below}model.safetensors`);
  return own.filter((name) => {
    if (twin.test(name.slice(below.length))) return twins.length === weights.length && weights.length > 0;
    // A whole file wins over shards beside it.
    return !(whole && /model-\d+-of-\d+\.safetensors$|model\.safetensors\.index\.json$/.test(name));
  });
}

function anyOf(patterns: readonly RegExp[]): (name: string) => boolean {
  return (name) => patterns.some((pattern) => pattern.test(name));
}

/** `*` and `?` as in `huggingface_hub`, where they match slashes too; `{a,b}` for one of these words; a folder means all in it. */
function matcherOf(pattern: string): RegExp {
  const whole = pattern.endsWith("/") ? `${pattern}*` : pattern;
  const body = whole.replace(/\[[^\]]+\]|\{[^}]+\}|\*+|\?|[.+^$()|\\{}[\]]/g, (found) => {
    if (found.startsWith("*")) return ".*";
    if (found === "?") return ".";
    if (found.length > 1 && found.startsWith("[")) return found.replace(/^\[!/, "[^").replace(/\\/g, "\\\\");
    if (found.length > 1 && found.startsWith("{")) return `(?:${found.slice(1, -1).split(",").map(escaped).join("|")})`;
    return escaped(found);
  });
  try {
    return new RegExp(`^${body}$`, "s");
  } catch {
    throw new UsageError(
      `the pattern ${JSON.stringify(pattern)} cannot be read`,
      "In brackets write single characters, or ranges from the lower to the higher one: [0-9].",
    );
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
