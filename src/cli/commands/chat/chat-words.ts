/** What a user types in a chat: a message, or a command that begins with a slash. */
import { nearest } from "../../../util/nearest.ts";

export type Word =
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "reset" }
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  | { readonly kind: "save"; readonly path: string }
  | { readonly kind: "temperature"; readonly value: number }
  | { readonly kind: "mistake"; readonly says: string };

export const chatHelp = [
  "/reset            begin a new conversation",
  "/save FILE        add the conversation to a JSONL file, as a row of messages",
  "/temperature T    sample at T from here on; 0 is greedy",
  "/quit             end (also Ctrl-D); Ctrl-C stops an answer",
  "//text            a message that begins with a slash",
];

const commands = ["reset", "save", "temperature", "quit", "help"];

export function wordOf(line: string): Word {
  const text = line.trim();
  if (text.startsWith("//")) return { kind: "message", text: text.slice(1) };
  if (!text.startsWith("/")) return { kind: "message", text };
  const [name = "", ...rest] = text.slice(1).split(/\s+/);
  const detail = rest.join(" ");
  switch (name) {
    case "reset":
    case "help":
    case "quit":
      return { kind: name };
    case "save":
      return detail === ""
        ? { kind: "mistake", says: "/save needs a file: /save chat.jsonl" }
        : { kind: "save", path: detail };
    case "temperature": {
      const value = Number(detail);
      return detail !== "" && Number.isFinite(value) && value >= 0
        ? { kind: "temperature", value }
        : { kind: "mistake", says: "/temperature needs a number from 0: /temperature 0.7" };
    }
    default: {
      const near = nearest(name, commands);
      return {
        kind: "mistake",
        says: `There is no /${name}.${near === undefined ? " /help lists what there is." : ` Did you mean /${near}?`}`,
      };
    }
  }
}
