/** GPT-2's printable symbol for each of the 256 bytes, which byte-level tokenizers are written in. */

/** Entry b is the symbol of byte b: itself where that is printable in Latin-1, else a character from U+0100 on. */
export const byteSymbols: readonly string[] = makeByteSymbols();

const byteOfSymbol = new Map(byteSymbols.map((symbol, byte) => [symbol, byte]));

/** A byte's symbol as text for display: `a`, or `<0xF0>` for what is no character alone; null for other characters. */
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
