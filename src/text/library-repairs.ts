/**
 * Corrects the JavaScript tokenizer library (0.2.0) where it reads a file differently from Hugging Face's own tokenizers (0.23): in what counts as white
 * space, a digit or a word, in splits other than the usual one, in Unigram's byte fallback, and in two decoders. What is not corrected here is
 * refused by name (`import-check.ts`).
 */
import type { TokenizerJson } from "./files.ts";
import { type SplitBehavior, splitPieces } from "./split-pieces.ts";

/** The parts of an opened library that are corrected. */
export interface Repairable {
  readonly normalizer: Part | null;
  readonly pre_tokenizer: Part | null;
  readonly decoder: Part | null;
  readonly model: Part & { readonly tokens_to_ids: ReadonlyMap<string, number> };
}

/** A part of the library: the object that a node of the file was made into. */
interface Part {
  pattern?: RegExp;
  config?: Json;
  normalizers?: Part[];
  tokenizers?: Part[];
  decoders?: Part[];
  normalize?(text: string): string;
  pre_tokenize_text?(text: string, options?: unknown): string[];
  decode_chain?(tokens: readonly string[]): string[];
  encode?(words: readonly string[]): string[];
}

type Json = Readonly<Record<string, unknown>>;

/** GPT-2's pattern with Unicode's white space: JavaScript's own has U+FEFF, and lacks U+0085. */
const gpt2Words =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const wordCharacter = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const wordsAndOthers = new RegExp(`[${wordCharacter}]+|[^${wordCharacter}\\p{White_Space}]+`, "gu");
const punctuation = /[\p{P}\u0021-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007E]/gu;

/** Changes the library's parts in place. */
export function repairLibrary(library: Repairable, { normalizer, pre_tokenizer, decoder, model }: TokenizerJson): void {
  each(normalizer, library.normalizer, ["normalizers", "normalizers"], repairNormalizer);
  each(pre_tokenizer, library.pre_tokenizer, ["pretokenizers", "tokenizers"], repairPreTokenizer);
  each(decoder, library.decoder, ["decoders", "decoders"], repairDecoder);
  if (model.type === "Unigram" && model.byte_fallback === true) fallBackToBytes(library.model);
}

/** Visits each node of a file's part with the object that was made of it, those of sequences one by one. */
function each(
  node: unknown,
  part: Part | null | undefined,
  names: readonly [string, "normalizers" | "tokenizers" | "decoders"],
  visit: (node: Json, part: Part) => void,
): void {
  if (typeof node !== "object" || node === null || part === null || part === undefined) return;
  const { type, [names[0]]: list } = node as Json;
  if (type !== "Sequence") visit(node as Json, part);
  else
    for (const [i, inner] of (Array.isArray(list) ? list : []).entries())
      each(inner, part[names[1]]?.[i], names, visit);
}

function repairNormalizer(node: Json, part: Part): void {
  const { type } = node;
  if (type === "Replace") keepDollars(node, part);
  else if (type === "Strip") part.normalize = (text) => stripped(text, node);
  else if (type === "Lowercase") part.normalize = lowerCase;
  else if (type === "BertNormalizer" && node.lowercase !== false) {
    const whole = part.normalize!.bind(part);
    part.normalize = (text) => whole(lowerCase(text));
  }
}

/** Character by character: a word's last sigma is a sigma like every other. */
function lowerCase(text: string): string {
  return Array.from(text, (character) => character.toLowerCase()).join("");
}

function stripped(text: string, { strip_left, strip_right }: Json): string {
  const left = strip_left ? text.replace(/^\p{White_Space}+/u, "") : text;
  return strip_right ? left.replace(/\p{White_Space}+$/u, "") : left;
}

/** A replacement's text stands for itself: JavaScript would read `$&` in it. */
function keepDollars(node: Json, part: Part): void {
  if (typeof node.content === "string" && node.content.includes("$"))
    part.config = { ...node, content: node.content.replaceAll("$", "$$$$") };
}

function repairPreTokenizer(node: Json, part: Part): void {
  const { type, behavior } = node;
  const cut = (pattern: RegExp, options: Parameters<typeof splitPieces>[2]) => {
    part.pre_tokenize_text = (text) => splitPieces(text, pattern, options);
  };
  if (type === "ByteLevel") part.pattern = gpt2Words;
  else if (type === "WhitespaceSplit") part.pre_tokenize_text = (text) => text.match(/\P{White_Space}+/gu) ?? [];
  else if (type === "BertPreTokenizer")
    part.pre_tokenize_text = (text) =>
      (text.match(/\P{White_Space}+/gu) ?? []).flatMap((word) =>
        splitPieces(word, punctuation, { behavior: "Isolated" }),
      );
  else if (type === "Whitespace") part.pre_tokenize_text = (text) => text.match(wordsAndOthers) ?? [];
  else if (type === "Digits") cut(/\p{N}/gu, { behavior: node.individual_digits ? "Isolated" : "Contiguous" });
  else if (type === "Punctuation") cut(punctuation, { behavior: (behavior ?? "Isolated") as SplitBehavior });
  else if (type === "Metaspace" && node.split !== false) {
    const whole = part.pre_tokenize_text!.bind(part);
    const mark = new RegExp(replacementOf(node).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
    part.pre_tokenize_text = (text, options) =>
      whole(text, options).flatMap((piece) => splitPieces(piece, mark, { behavior: "MergedWithNext" }));
  } else if (type === "Split" && part.pattern) {
    const usual = (behavior === "Isolated" && node.invert !== true) || (behavior === "Removed" && node.invert === true);
    if (!usual) cut(part.pattern, { behavior: behavior as SplitBehavior, invert: node.invert === true });
  }
}

function replacementOf({ replacement }: Json): string {
  return typeof replacement === "string" ? replacement : "\u2581";
}

function repairDecoder(node: Json, part: Part): void {
  if (node.type === "Replace") keepDollars(node, part);
  else if (node.type === "ByteFallback") part.decode_chain = decodeBytes;
  else if (node.type === "Metaspace" && isWithoutPrefix(node))
    part.decode_chain = (tokens) => tokens.map((token) => token.replaceAll(replacementOf(node), " "));
}

/** Whether a Metaspace puts no space before a text, so that decoding takes none away. */
function isWithoutPrefix({ prepend_scheme, add_prefix_space }: Json): boolean {
  return prepend_scheme === "never" || (prepend_scheme === undefined && add_prefix_space === false);
}

/** Joins runs of `<0xE2>`. A byte order mark is a character; a run that is not UTF-8 is a replacement character a byte. */
function decodeBytes(tokens: readonly string[]): string[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  const texts: string[] = [];
  let bytes: number[] = [];
  const close = () => {
    if (bytes.length === 0) return;
    try {
      texts.push(decoder.decode(Uint8Array.from(bytes)));
    } catch {
      texts.push("\uFFFD".repeat(bytes.length));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const [, byte] = /^<0x([0-9A-F]{2})>$/i.exec(token) ?? [];
    if (byte !== undefined) bytes.push(Number.parseInt(byte, 16));
    else {
      close();
      texts.push(token);
    }
  }
  close();
  return texts;
}

/** Unigram gives pieces that the vocabulary lacks as they are: they become the tokens of their bytes, if it has all of these. */
function fallBackToBytes(model: Repairable["model"]): void {
  const encode = model.encode!.bind(model);
  const known = (token: string) => model.tokens_to_ids.has(token);
  model.encode = (words) =>
    encode(words).flatMap((token) => {
      if (known(token)) return [token];
      const bytes = Array.from(
        Buffer.from(token, "utf8"),
        (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
      );
      return bytes.every(known) ? bytes : [token];
    });
}
