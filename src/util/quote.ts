/** A prompt in a message: on one line and short. */

/** The text in quotes, cut after `limit` characters. */
export function quote(text: string, limit = 80): string {
  const characters = [...text];
  return JSON.stringify(characters.length > limit ? `${characters.slice(0, limit).join("")}...` : text);
}
