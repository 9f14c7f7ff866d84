/** Special tokens in what users write: where their texts stand, and a mark in each that keeps it from being read as one. */

export interface SpecialTokenMarker {
  /** The text with a mark inside each special token's text; without the mark it is the text again. */
  mark(text: string, mark: string): string;
  /** The text in pieces, cut where marks would stand: none holds the whole text of a special token. */
  pieces(text: string): string[];
  /** Whether a special token can be cut: one of a single character cannot. */
  cuts(token: string): boolean;
}

/** A character that none of the texts holds: a noncharacter of Unicode, unless they hold all of those. */
export function freeMark(texts: readonly string[]): string {
  let code = 0xfdd0;
  while (texts.some((text) => text.includes(String.fromCharCode(code)))) code++;
  return String.fromCharCode(code);
}

/** Marks come after a special token's first character; in any case, since a tokenizer may lower-case first. */
export function createSpecialTokenMarker(specialTokens: readonly string[]): SpecialTokenMarker {
  const cuts = (token: string) => [...token].length > 1;
  const cuttable = specialTokens.filter(cuts);
  const anySpecial = cuttable.length === 0 ? null : new RegExp(cuttable.map(escapeRegExp).join("|"), "giu");
  const pieces = (text: string) => {
    if (anySpecial === null) return [text];
    const found: string[] = [];
    let from = 0;
    anySpecial.lastIndex = 0;
    for (let match = anySpecial.exec(text); match !== null; match = anySpecial.exec(text)) {
      const end = match.index + String.fromCodePoint(match[0].codePointAt(0)!).length;
      found.push(text.slice(from, end));
      from = end;
      // A special token may begin inside another.
      anySpecial.lastIndex = end;
    }
    found.push(text.slice(from));
    return found;
  };
  return { mark: (text, mark) => pieces(text).join(mark), pieces, cuts };
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
