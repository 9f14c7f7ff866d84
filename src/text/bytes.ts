/** GPT-2's printable symbols for the 256 bytes, in which byte-level tokenizers are written. */

/** Entry b is the symbol of byte b: the character itself if it is printable in Latin-1, else a character from U+0100 on. */
export const byteSymbols: readonly string[] = makeByteSymbols();

export const byteOfSymbol: ReadonlyMap<string, number> = new Map(byteSymbols.map((symbol, byte) => [symbol, byte]));

/** The display text for a byte's symbol: `a`, or `<0xF0>` if the byte is not a character by itself; null for other characters. */
export function displayByte(symbol: string): string | null {
  const byte = byteOfSymbol.get(symbol);
  if (byte === undefined) return null;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function makeByteSymbols(): string[] {
  const symbols: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    symbols.push(String.fromCharCode(printable ? byte : next++));
  }
  return symbols;
}
