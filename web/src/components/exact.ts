/** Text exactly as a model wrote it: control characters are shown as pictures, white space on request. */
import { visible } from "../format.ts";

const pictures: Readonly<Record<string, string>> = { "\n": "↵\n", "\t": "⇥\t", " ": "·", "\u00a0": "⍽" };

/** The text with pictures. With `spaces`, white space has one too: `·` a space, `⇥` a tab, `↵` a line break, `⍽` a non-breaking space. */
export function exact(text: string, { spaces = false }: { readonly spaces?: boolean } = {}): string {
  const seen = visible(text);
  if (!spaces) return seen;
  return seen.replace(
    /[\s\u3000]/gu,
    (c) => pictures[c] ?? `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/** The first `longest` characters, without half of a surrogate pair at the end. */
export function beginning(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return text.slice(0, /[\ud800-\udbff]/.test(text[longest - 1]!) ? longest - 1 : longest);
}
