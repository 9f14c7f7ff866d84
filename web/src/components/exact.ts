/** Text exactly as a model wrote it: what acts is shown as a picture, white space on demand. */
import { visible } from "../format.ts";

const pictures: Readonly<Record<string, string>> = { "\n": "↵\n", "\t": "⇥\t", " ": "·", "\u00a0": "⍽" };

/** With `spaces`, white space has a picture: `·` a space, `⇥` a tab, `↵` a line break, `⍽` one that does not break. */
export function exact(text: string, { spaces = false }: { readonly spaces?: boolean } = {}): string {
  const seen = visible(text);
  if (!spaces) return seen;
  return seen.replace(
    /[\s\u3000]/gu,
    (c) => pictures[c] ?? `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/** The first characters, without half of a surrogate pair at the end. */
export function beginning(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return text.slice(0, /[\ud800-\udbff]/.test(text[longest - 1]!) ? longest - 1 : longest);
}
