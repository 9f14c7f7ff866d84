/** Reads keys: one at a time on a terminal, or the characters of piped input. */

/** The parts of a readable stream that reading keys needs. */
export interface KeyStream extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** Yields keys. Space between keys is ignored; Ctrl-C, Ctrl-D or the end of the stream ends them. */
export async function* keysOf(stream: KeyStream): AsyncGenerator<string> {
  const raw = stream.isTTY === true;
  if (raw) stream.setRawMode?.(true);
  try {
    for await (const chunk of stream)
      for (const key of chunk.toString()) {
        if (key === "\u0003" || key === "\u0004") return;
        if (key.trim() !== "") yield key;
      }
  } finally {
    if (raw) stream.setRawMode?.(false);
  }
}
