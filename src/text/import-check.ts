/** A check of a tokenizer's files when they are read: features that would give other ids here than in transformers are refused, others are noted. */

import { counted } from "../util/counted.ts";
import { DataError } from "../util/errors.ts";
import type { TokenizerFiles, TokenizerJson } from "./files.ts";
import { importStrings } from "./import-strings.ts";
import type { Library } from "./library.ts";

/** Something in the files that is not honoured. */
interface Finding {
  /** The feature and what happens, in a clause. */
  readonly says: string;
  readonly changesIds: boolean;
}

/**
 * Looks at the files' features, and encodes and decodes a few hundred strings.
 * @returns notes about what differs in decoding only
 * @throws DataError that names every feature that changes ids
 */
export function checkImport(files: TokenizerFiles, library: Library, source: string): string[] {
  const findings = [...ofFeatures(files.tokenizer), ...ofStrings(files.tokenizer, library)];
  const changing = findings.filter(({ changesIds }) => changesIds).map(({ says }) => says);
  if (changing.length > 0)
    throw new DataError(
      `the tokenizer ${source} has what Ballast would encode differently from transformers: ${changing.join("; ")}`,
      "take a tokenizer without it; for a model from scratch: ballast tokenizer train",
    );
  return findings.map(({ says }) => `the tokenizer ${source}: ${says}`);
}

function ofFeatures({ model, added_tokens, truncation, normalizer, decoder }: TokenizerJson): Finding[] {
  const findings: Finding[] = [];
  const find = (says: string, changesIds = false) => findings.push({ says, changesIds });
  const prefix = model.continuing_subword_prefix;
  if (model.type === "BPE" && typeof prefix === "string" && prefix !== "")
    find(`model.continuing_subword_prefix "${prefix}", which the library ignores in BPE`, true);
  if (typeof model.dropout === "number" && model.dropout > 0)
    find(`model.dropout ${model.dropout}: a text would be encoded at random; set it to null`, true);
  const alone = added_tokens.find(({ single_word }) => single_word === true);
  if (alone !== undefined)
    find(`the added token ${JSON.stringify(alone.content)} with single_word, which the library ignores`, true);
  const { max_length } = { ...(truncation as { max_length?: unknown } | null) };
  if (max_length !== undefined)
    find(`its truncation to ${max_length} tokens is not applied, as transformers does not either`);
  if (some(normalizer, ({ type }) => type === "Precompiled"))
    find("its Precompiled normalizer is approximated by NFKC: rare characters may get other ids than in transformers");
  if (some(decoder, ({ type, split }) => type === "Metaspace" && split === false))
    find("decoding keeps the spaces inside a text's first token, which transformers drops (Metaspace without split)");
  return findings;
}

/** Whether a node, or one inside it, is as described. */
function some(node: unknown, is: (node: Readonly<Record<string, unknown>>) => boolean): boolean {
  if (typeof node !== "object" || node === null) return false;
  return is(node as Readonly<Record<string, unknown>>) || Object.values(node).some((inner) => some(inner, is));
}

function ofStrings(tokenizer: TokenizerJson, library: Library): Finding[] {
  const without: string[] = [];
  const lost: string[] = [];
  const lossless = isLossless(tokenizer);
  for (const text of importStrings) {
    const mark = "\ufdd0";
    const ids = library.encode(library.marker.mark(text, mark), mark);
    if (ids.some((id) => !Number.isSafeInteger(id))) without.push(text);
    else if (lossless && ids.length > 0 && library.decode(ids, { cleanUp: false, special: true }) !== text)
      lost.push(text);
  }
  const of = (texts: readonly string[]) =>
    `${texts.length} of ${counted(importStrings.length, "string")}, such as ${JSON.stringify(texts[0])}`;
  return [
    ...(without.length > 0 ? [{ says: `words that get no id at all in ${of(without)}`, changesIds: true }] : []),
    ...(lost.length > 0
      ? [
          {
            says: `it is byte-level, and does not give back ${of(lost)}: its vocabulary may lack bytes`,
            changesIds: false,
          },
        ]
      : []),
  ];
}

/** Whether every text should come back as it was: bytes in and bytes out, nothing normalized or added. */
function isLossless({ normalizer, pre_tokenizer, decoder, model }: TokenizerJson): boolean {
  const isBytes = (node: unknown) => some(node, ({ type }) => type === "ByteLevel");
  const cuts = some(pre_tokenizer, ({ type, behavior }) => behavior === "Removed" || type === "WhitespaceSplit");
  const adds = some(pre_tokenizer, ({ add_prefix_space }) => add_prefix_space === true);
  return (
    model.type === "BPE" &&
    (normalizer ?? null) === null &&
    isBytes(pre_tokenizer) &&
    isBytes(decoder) &&
    !cuts &&
    !adds
  );
}
