/** Parses server-sent events as this server writes them: one line `event`, one line `data`, a blank line (HTML Standard, section 9.2). */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** A reader that takes the text in pieces of any size, and returns the events completed by each. */
export function eventReader(): (piece: string) => ServerEvent[] {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop()!;
    return blocks.map((block) => {
      const field = (name: string) =>
        block
          .split("\n")
          .filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).replace(/^ /, ""))
          .join("\n");
      return { event: field("event"), data: field("data") };
    });
  };
}
