/** Chat templates: the built-in one, and rendering that keeps special tokens out of what users write. */
import { Template } from "@huggingface/jinja";
import { DataError, messageOf } from "../util/errors.ts";
import type { Message } from "./tokenizer.ts";

/** `<user>prompt<assistant>`; an assistant's turn of the history ends with EOS, as its completions do in training. */
export const builtInTemplate =
  "{% for message in messages %}<{{ message.role }}>{{ message.content }}" +
  "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<assistant>{% endif %}";

/** A noncharacter of Unicode, put inside special tokens that users write; the rendered text is cut at it. */
const cut = "\uFDD0";

export interface ChatTemplate {
  /** The conversation as text, in pieces: cuts lie inside special tokens that stood in a message's content. */
  render(messages: readonly Message[]): string[];
}

/**
 * Parses a Jinja chat template.
 * @param tokens what the template may name, such as `eos_token`
 * @param cutter where content would be read as a special token
 * @throws DataError where the template does not parse, or (in `render`) refuses a conversation
 */
export function createChatTemplate(
  source: string,
  tokens: Readonly<Record<string, string>>,
  cutter: SpecialTokenCutter,
): ChatTemplate {
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw new DataError(
      `the chat template does not parse: ${messageOf(error)}`,
      "correct it (tokenizer.chatTemplate, or chat_template of the tokenizer's files); it is a Jinja template",
      { cause: error },
    );
  }
  return {
    render(messages) {
      const safe = messages.map(({ role, content }) => ({ role, content: cutter.pieces(content).join(cut) }));
      try {
        return template.render({ ...tokens, messages: safe, add_generation_prompt: true }).split(cut);
      } catch (error) {
        const roles = messages.map((message) => message.role).join(", ");
        throw new DataError(
          `the chat template refused a conversation (${roles}): ${messageOf(error)}`,
          "give another template in tokenizer.chatTemplate, or change the conversation",
          { cause: error },
        );
      }
    },
  };
}

export interface SpecialTokenCutter {
  /** The text in pieces, none of which holds the whole text of a special token; joined, they are the text. */
  pieces(text: string): string[];
}

/** Cuts each special token's text after its first character; in any case, since a tokenizer may lower-case first. */
export function createSpecialTokenCutter(specialTokens: readonly string[]): SpecialTokenCutter {
  const cuttable = specialTokens.filter((token) => [...token].length > 1);
  if (cuttable.length === 0) return { pieces: (text) => [text] };
  const anySpecial = new RegExp(cuttable.map(escapeRegExp).join("|"), "giu");
  return {
    pieces(text) {
      const pieces: string[] = [];
      let from = 0;
      anySpecial.lastIndex = 0;
      for (let match = anySpecial.exec(text); match !== null; match = anySpecial.exec(text)) {
        const end = match.index + String.fromCodePoint(match[0].codePointAt(0)!).length;
        pieces.push(text.slice(from, end));
        from = end;
        // A special token may begin inside another.
        anySpecial.lastIndex = end;
      }
      pieces.push(text.slice(from));
      return pieces;
    },
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
