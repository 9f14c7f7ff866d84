/** Special tokens in user text: finds them, and puts a mark in each so that it is not read as a special token. */

export interface SpecialTokenMarker {
  /** The text with a mark inside each special token's text; removing the marks restores the text. */
  mark(text: string, mark: string): string;
  /** The text in pieces, cut at the positions of the marks: no piece contains the whole text of a special token. */
  pieces(text: string): string[];
  /** Whether a special token can be cut, which takes at least two characters. */
  cuts(token: string): boolean;
}

/** A character that none of the texts contains: a noncharacter of Unicode, unless they contain all of those. */
export function freeMark(texts: readonly string[]): string {
  let code = 0xfdd0;
  while (texts.some((text) => text.includes(String.fromCharCode(code)))) code++;
  return String.fromCharCode(code);
}

/** Marks follow a special token's first character; case is ignored, since a tokenizer may lower-case first. */
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
      // A special token may begin inside a different one.
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
