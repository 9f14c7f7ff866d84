/** Makes text written by a model, a file or a user's function safe to print on a terminal. */

// Whole sequences go first, so that their parameters do not stay behind as text. C1 forms (one byte, 0x80 to 0x9f) count too.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
const STRINGS = /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
const CSI = /(?:\x1b\[|\x9b)[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
const ESCAPES = /\x1b[\x20-\x2f]*[\x30-\x7e]?/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// Marks, overrides and isolates that turn the writing direction; interlinear marks; invisible tags; zero width space and BOM.
const INVISIBLE = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const LONE_SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * The text without escape sequences (CSI, OSC, DCS and the like), control characters and marks that turn the writing
 * direction. Newlines stay, and line and paragraph separators become newlines; tabs become spaces.
 */
export function printable(text: string): string {
  return text
    .replace(STRINGS, "")
    .replace(CSI, "")
    .replace(ESCAPES, "")
    .replace(/\r\n|[\u2028\u2029]/g, "\n")
    .replace(/\t/g, "  ")
    .replace(CONTROLS, "")
    .replace(INVISIBLE, "")
    .replace(LONE_SURROGATES, "\ufffd");
}

/** The text as `printable` makes it, on one line: newlines become spaces. */
export function printableLine(text: string): string {
  return printable(text).replace(/\n+/g, " ");
}
