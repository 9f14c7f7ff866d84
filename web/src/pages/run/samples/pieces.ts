/** Places the tokens of a response in its text: word tokenizers leave out the spaces between them. */

export interface Piece {
  readonly text: string;
  /** The token's index; null for text between tokens. */
  readonly token: number | null;
}

/** Most characters between two tokens: white space, and after parts of characters those characters. */
const longest = { space: 200, parts: 12 } as const;

/**
 * Each token with the text before it. A token that does not occur in the text (an end mark, a part of a character) stands by itself; text that the
 * tokens do not reach comes last: nothing of either is lost.
 */
export function piecesOf(response: string, tokens: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let inParts = false;
  const between = (to: number) => {
    if (to > at) pieces.push({ text: response.slice(at, to), token: null });
    at = to;
  };
  tokens.forEach((text, token) => {
    const isPart = text.includes("\ufffd") && !response.startsWith(text, at);
    const place = isPart ? null : placeOf(response, { token: text, at, skips: inParts ? "parts" : "space" });
    if (place !== null) {
      between(place);
      at += text.length;
    }
    inParts = isPart || (inParts && place === null);
    pieces.push({ text, token });
  });
  between(response.length);
  return pieces;
}

/** The token's position; further on it would be a different token. */
function placeOf(
  response: string,
  { token, at, skips }: { readonly token: string; readonly at: number; readonly skips: keyof typeof longest },
): number | null {
  if (token === "") return null;
  for (let place = at; place <= at + longest[skips] && place < response.length; place++) {
    if (response.startsWith(token, place)) return place;
    if (skips === "space" && !/\s/.test(response[place]!)) return null;
  }
  return null;
}
