/** Entries of a list by their indices. */

export function take<T>(items: readonly T[], indices: readonly number[]): T[] {
  return indices.map((i) => items[i] as T);
}
