/** Texts no longer than a page can hold. */

/** Characters of a text that is an answer's subject, as a prompt. */
export const longestText = 8_000;

/** Characters of any other text. */
const longestOther = 4_000;

/** The text itself, or its beginning and how long it was. */
export function cut(text: string, longest = longestOther): string {
  if (text.length <= longest) return text;
  return `${beginning(text, longest)}… (${text.length} characters)`;
}

/** The first characters, without half of a surrogate pair at the end. */
export function beginning(text: string, longest: number): string {
  const end = /[\ud800-\udbff]/.test(text[longest - 1] ?? "") ? longest - 1 : longest;
  return text.slice(0, end);
}
