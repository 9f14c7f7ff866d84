/** Keys that a person presses: one at a time on a terminal, the characters of what is piped in elsewhere. */

/** What of a readable stream the keys need. */
export interface KeyStream extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** Space between keys does not count; Ctrl-C and Ctrl-D end them, and so does the end of the stream. */
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
