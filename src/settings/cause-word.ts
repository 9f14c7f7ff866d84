/** How messages and the page name the cause of a setting's change. */

/** The record says `person`, as the first version did, for what messages call an operator. */
export function causeWord(cause: string): string {
  return cause === "person" ? "operator" : cause;
}
