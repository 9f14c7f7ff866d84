/** A reward that a random model of bytes can climb: the share of a response's characters that are lower-case letters from a to z; 0 of an empty one. */
export default function letters({ response }: { readonly response: string }): number {
  const characters = [...response];
  return characters.length === 0 ? 0 : characters.filter((one) => one >= "a" && one <= "z").length / characters.length;
}
