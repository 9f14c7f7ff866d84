/** Decodes the tokens of a byte-level vocabulary (GPT-2's symbols for bytes) from a table of their bytes, many times as fast as the library does. */
import { byteOfSymbol } from "./bytes.ts";

/** The text of tokens, one after the other; ids without a token have none, and special tokens only with `special`. */
export type ByteDecoder = (ids: readonly number[], options: { readonly special: boolean }) => string;

/**
 * @param tokenOf the token with an id, as the vocabulary's file writes it
 * @param added texts of added tokens, which stand for themselves
 */
export function createByteDecoder({
  vocabularySize,
  tokenOf,
  added,
  specials,
}: {
  readonly vocabularySize: number;
  readonly tokenOf: (id: number) => string | undefined;
  readonly added: ReadonlySet<string>;
  readonly specials: ReadonlyMap<number, string>;
}): ByteDecoder {
  /** Where each token's bytes begin and end. */
  const starts = new Uint32Array(vocabularySize);
  const ends = new Uint32Array(vocabularySize);
  /** Where the bytes end without special tokens. */
  const plainEnds = new Uint32Array(vocabularySize);
  let end = 0;
  const all: Uint8Array[] = [];
  for (let id = 0; id < vocabularySize; id++) {
    const token = tokenOf(id) ?? "";
    const bytes = added.has(token)
      ? Buffer.from(token)
      : // The library decodes a character that stands for no byte as byte 0.
        Uint8Array.from(token, (symbol) => byteOfSymbol.get(symbol) ?? 0);
    all.push(bytes);
    starts[id] = end;
    end += bytes.length;
    ends[id] = end;
    plainEnds[id] = specials.has(id) ? starts[id]! : end;
  }
  const bytes = Buffer.concat(all);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return (ids, { special }) => {
    const ending = special ? ends : plainEnds;
    let length = 0;
    for (let i = 0; i < ids.length; i++) length += ending[ids[i]!]! - starts[ids[i]!]! || 0;
    const text = Buffer.allocUnsafe(length);
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      const end = ending[ids[i]!]!;
      for (let from = starts[ids[i]!]!; from < end; from++) text[at++] = bytes[from]!;
    }
    return decoder.decode(text);
  };
}
