/** Texts cut to what a page can hold. */

/** Longest kept text, in characters, if the text is the subject of an answer, such as a prompt. */
export const longestText = 8_000;

/** Longest kept text, in characters, for all other texts. */
const longestOther = 4_000;

/** The text itself, or its beginning and its full length in characters. */
export function cut(text: string, longest = longestOther): string {
  if (text.length <= longest) return text;
  return `${beginning(text, longest)}… (${text.length} characters)`;
}

/** The first `longest` characters, without half of a surrogate pair at the end. */
export function beginning(text: string, longest: number): string {
  const end = /[\ud800-\udbff]/.test(text[longest - 1] ?? "") ? longest - 1 : longest;
  return text.slice(0, end);
}
