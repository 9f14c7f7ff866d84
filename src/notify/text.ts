/** Makes text from models or users harmless for HTML, Markdown and Slack. */

// Controls except the newline; characters that turn the writing direction, are invisible or break lines; halves of surrogate pairs.
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** The text with every control or hidden character written out: a right-to-left override becomes `\u202e`. Newlines stay. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => {
    if (character === "\t") return "  ";
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for an HTML element, or for an attribute in quotes. */
export function html(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** Escapes text for a line of Markdown or a cell of a table: no markup, no HTML and no links, not even those that GitHub makes by itself. */
export function markdown(text: string): string {
  return visible(text)
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\\`*_[\]<>#|~$@!]|:(?=\/)|(?<=\bwww)\./gi, "\\$&")
    .replaceAll("&", "&amp;")
    .replace(/^([-+=]|\d+(?=[.)](?:\s|$)))/, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`));
}

/** Escapes text for a Slack message: its three control characters are written out, so that no mention and no link results. */
export function slack(text: string): string {
  return visible(text).replace(/[&<>]/g, (character) => ENTITIES[character] as string);
}
