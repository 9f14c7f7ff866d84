/** Words of commands that a message proposes. */

/** A word as a POSIX shell reads it back: quoted where a character needs it. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
