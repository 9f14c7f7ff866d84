/** Chat templates: the built-in one, and rendering that keeps special tokens out of user text. */
import { DataError, messageOf } from "../util/errors.ts";
import { type JinjaTemplate, parseJinja } from "./jinja/jinja.ts";
import { freeMark, type SpecialTokenMarker } from "./special.ts";
import type { Message } from "./tokenizer.ts";

/** `<user>prompt<assistant>`; an assistant's turn in the history ends with EOS, as completions do in training. */
export const builtInTemplate =
  "{% for message in messages %}<{{ message.role }}>{{ message.content }}" +
  "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<assistant>{% endif %}";

export interface ChatTemplate {
  /**
   * The conversation as text. `mark` is a character that occurs only inside special tokens' texts that came from a message: it keeps them from being
   * read as special tokens and is not part of the text.
   */
  render(
    messages: readonly Message[],
    options?: {
      /** Whether to open an assistant's turn at the end; true by default. */
      readonly generationPrompt?: boolean;
    },
  ): { readonly text: string; readonly mark: string };
}

/**
 * Parses a Jinja chat template.
 * @param tokens the variables of the template for tokens, such as `eos_token`
 * @param marker marks the tokenizer's special tokens
 * @throws DataError if the template does not parse, or (in `render`) refuses a conversation
 */
export function createChatTemplate(
  source: string,
  tokens: Readonly<Record<string, string>>,
  marker: SpecialTokenMarker,
): ChatTemplate {
  let template: JinjaTemplate;
  try {
    template = parseJinja(source);
  } catch (error) {
    throw new DataError(
      `the chat template does not parse: ${messageOf(error)}`,
      "correct it (tokenizer.chatTemplate, or chat_template of the tokenizer's files); it is a Jinja template",
      { cause: error },
    );
  }
  const renderWith = (
    messages: readonly Message[],
    generationPrompt: boolean,
    change: (content: string) => string,
  ): string => {
    checkTools(messages, source);
    try {
      // transformers passes these too when there are no tools or documents.
      const tools = changed(messages[0]?.tools ?? null, change);
      const given = { ...tokens, tools, documents: null, add_generation_prompt: generationPrompt };
      return template.render({
        ...given,
        messages: messages.map(({ bare: _, tools: __, role, ...message }) => ({
          role,
          ...(changed(message, change) as object),
        })),
      });
    } catch (error) {
      const roles = messages.map((message) => message.role).join(", ");
      throw new DataError(
        `the chat template refused a conversation (${roles}): ${messageOf(error)}`,
        "give another template in tokenizer.chatTemplate, or change the conversation",
        { cause: error },
      );
    }
  };
  return {
    render(messages, { generationPrompt = true } = {}) {
      const contents = messages.flatMap(({ bare: _, role: __, ...message }) => textsIn(message));
      const mark = freeMark([source, ...contents]);
      const text = renderWith(messages, generationPrompt, (content) => marker.mark(content, mark));
      if (contents.some((content) => marker.pieces(content).length > 1)) {
        const plain = renderWith(messages, generationPrompt, (content) => content);
        if (text.replaceAll(mark, "") !== plain)
          throw new DataError(
            "the chat template looks inside a message that holds the text of a special token, and would render it differently",
            "leave such messages out, or give another template in tokenizer.chatTemplate",
          );
      }
      return { text, mark };
    },
  };
}

/** Refuses a conversation whose tools the template would drop. */
function checkTools(messages: readonly Message[], source: string): void {
  const has: Readonly<Record<string, (message: Message) => boolean>> = {
    tools: ({ tools }) => tools !== undefined,
    tool_calls: (message) => message.tool_calls !== undefined,
    tool: ({ role }) => role === "tool",
  };
  const lost = Object.keys(has).find((word) => !new RegExp(`\\b${word}\\b`).test(source) && messages.some(has[word]!));
  if (lost === undefined) return;
  throw new DataError(
    `the chat template has no place for ${lost === "tool" ? "a tool's message" : lost}`,
    "take a model whose template reads tools, write what was said as text, or leave the row out",
  );
}

/** Every text inside a value, the keys of its objects excepted. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** A copy with every text inside changed. */
function changed(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((entry) => changed(entry, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, changed(entry, change)]));
}
