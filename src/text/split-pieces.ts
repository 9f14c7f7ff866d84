/** How Hugging Face's tokenizers cut a text by the matches of a pattern: the five behaviours of its `SplitDelimiterBehavior`. */

export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

interface Piece {
  start: number;
  end: number;
  readonly isMatch: boolean;
}

/**
 * Cuts a text.
 * @param pattern a global expression; its groups do not matter
 * @param options `invert`: what lies between the matches counts as the matches
 */
export function splitPieces(
  text: string,
  pattern: RegExp,
  { behavior, invert = false }: { readonly behavior: SplitBehavior; readonly invert?: boolean },
): string[] {
  const pieces = piecesOf(text, pattern).map((piece) => ({ ...piece, isMatch: piece.isMatch !== invert }));
  return joined(pieces, behavior)
    .filter(({ start, end }) => end > start)
    .map(({ start, end }) => text.slice(start, end));
}

/** Matches and what lies between them, in order. */
function piecesOf(text: string, pattern: RegExp): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match === "") continue;
    if (index > at) pieces.push({ start: at, end: index, isMatch: false });
    at = index + match.length;
    pieces.push({ start: index, end: at, isMatch: true });
  }
  if (at < text.length) pieces.push({ start: at, end: text.length, isMatch: false });
  return pieces;
}

function joined(pieces: readonly Piece[], behavior: SplitBehavior): Piece[] {
  if (behavior === "Isolated") return [...pieces];
  if (behavior === "Removed") return pieces.filter(({ isMatch }) => !isMatch);
  if (behavior === "MergedWithNext") return mergedWithNext(pieces);
  const kept: Piece[] = [];
  let before = false;
  for (const piece of pieces) {
    const last = kept.at(-1);
    const joins = behavior === "Contiguous" ? piece.isMatch === before : piece.isMatch && !before;
    if (joins && last !== undefined) last.end = piece.end;
    else kept.push({ ...piece });
    before = piece.isMatch;
  }
  return kept;
}

function mergedWithNext(pieces: readonly Piece[]): Piece[] {
  const kept: Piece[] = [];
  let after = false;
  for (const piece of [...pieces].reverse()) {
    const next = kept.at(-1);
    if (piece.isMatch && !after && next !== undefined) next.start = piece.start;
    else kept.push({ ...piece });
    after = piece.isMatch;
  }
  return kept.reverse();
}
