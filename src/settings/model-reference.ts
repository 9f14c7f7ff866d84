/** How a model's state is named: by a folder, or by a URI of an engine's own. */

/**
 * A folder in Hugging Face's format, or a URI (`scheme://...`) that only the engine which made it can read. A URI names a state that never changes;
 * it is not a path, so it is neither resolved nor looked for on the disk.
 */
export type ModelReference = string;

/** The scheme of a URI; null for a folder. A scheme has two letters or more: `C://models` is a folder on a drive. */
export function schemeOf(reference: ModelReference): string | null {
  return /^([a-z][a-z0-9+.-]+):\/\//i.exec(reference)?.[1]?.toLowerCase() ?? null;
}
