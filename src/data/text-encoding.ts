/** Guesses the encoding of a line that is not UTF-8: old encodings look alike, so only plainly Western text gets a plain answer. */
import { quote } from "../util/quote.ts";
import { recodingCommand } from "./file-format.ts";

/**
 * What speaks against Western text, read as Latin-1: a byte other than these accented letters, two of them in a row, or one that touches no ASCII
 * letter. Windows-1250 and 1254 have these letters in the same places; of others, such as 0xE8 (e grave or c caron), a byte proves nothing.
 */
const notWestern = /[^\p{ASCII}ÁÂÄÇÉËÍÎÓÔÖÚÜßáâäçéëíîóôöúü]|\P{ASCII}{2}|(?<![A-Za-z])\P{ASCII}(?![A-Za-z])/u;

/** Scripts that give an encoding away; the first that decodes and looks right counts. The names are both iconv's and `TextDecoder`'s. */
const guesses: readonly { readonly encoding: string; readonly looks: RegExp }[] = [
  { encoding: "SHIFT_JIS", looks: /^[^\uff61-\uff9f]*[\u3041-\u30ff][^\uff61-\uff9f]*$/ },
  { encoding: "EUC-JP", looks: /^[^\uff61-\uff9f]*[\u3041-\u30ff][^\uff61-\uff9f]*$/ },
  { encoding: "EUC-KR", looks: /^[\p{ASCII}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]+$/u },
  {
    encoding: "WINDOWS-1251",
    looks: /^(?!.*[A-Za-zа-яё][А-ЯЁ])(?!.*[A-Za-z][а-яё])[\p{ASCII}А-яЁё«»–—…№]+$/u,
  },
  { encoding: "GB18030", looks: /\p{Script=Han}/u },
  { encoding: "WINDOWS-1252", looks: /[A-Za-z][\u00c0-\u00ff]|[\u00c0-\u00ff][A-Za-z]/ },
];

/** Number of bytes from the first high one on that are examined. */
const examinedBytes = 4096;

/** How a line that is not UTF-8 begins to read in the encoding that it may have, and how to convert its file. */
export function otherEncoding(path: string, line: Buffer): { readonly value: string; readonly hint: string } {
  const at = line.findIndex((byte) => byte >= 0x80);
  const part = line.subarray(partBegins(line, at), at + examinedBytes);
  const latin = part.toString("latin1");
  const asLatin = `as Latin-1 it reads ${quote(beginning(latin))}`;
  if (!notWestern.test(latin))
    return {
      value: asLatin,
      hint: `if it is Latin-1 or Windows-1252, convert it: ${recodingCommand(path, "WINDOWS-1252")}`,
    };
  const find = "find its encoding first, from whoever wrote it: with a wrong one the text is wrong, without an error";
  for (const { encoding, looks } of guesses) {
    const text = decoded(part, encoding);
    if (text !== null && looks.test(text))
      return {
        value: `maybe ${encoding}, as which it reads ${quote(beginning(text))}`,
        hint: `${find}; if it is ${encoding}, convert it: ${recodingCommand(path, encoding)}`,
      };
  }
  return {
    value: `maybe in an older encoding; ${asLatin}`,
    hint: `${find}; then put it in place of ENCODING: ${recodingCommand(path, "ENCODING")}`,
  };
}

/** Bytes before the first high one that are shown. */
const shownBefore = 20;

/** Where the shown part begins: at the line that holds byte `at`, or at a word not far before it. */
function partBegins(bytes: Buffer, at: number): number {
  if (at <= 0) return 0;
  const line = Math.max(bytes.lastIndexOf(0x0a, at - 1), bytes.lastIndexOf(0x0d, at - 1)) + 1;
  const near = at - shownBefore;
  if (near <= line) return line;
  const gap = bytes.subarray(near - 1, at).findIndex((byte) => !/\w/.test(String.fromCharCode(byte)));
  return gap < 0 ? near : near + gap;
}

function beginning(text: string): string {
  return [...text].slice(0, 40).join("");
}

/** The beginning of a line in this encoding; null if it is not valid in it, or if Node lacks the encoding. */
function decoded(bytes: Buffer, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}
