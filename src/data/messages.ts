/** Messages as files hold them: Hugging Face's lists, ShareGPT's, parts of text, calls of tools, and lists that a table keeps as JSON. */
import type { Message } from "../text/index.ts";
import type { Fail } from "./conversation.ts";

/** What ShareGPT and its kin call each role. */
const roles: Readonly<Record<string, Message["role"]>> = {
  ...{ system: "system", user: "user", human: "user", assistant: "assistant", gpt: "assistant", model: "assistant" },
  ...{ chatgpt: "assistant", bing: "assistant", bard: "assistant", tool: "tool", observation: "tool" },
};

const accepted =
  'a message is {"role": "system", "user", "assistant" or "tool", "content": "text"}, or {"from": "human" or "gpt", "value": "text"}';

/**
 * Parses a list of messages.
 * @param column its name in the file
 */
export function parseMessages(list: readonly unknown[], column: string, fail: Fail): Message[] {
  if (list.length === 0) fail(`"${column}" has no messages`, "fill it in, or leave the row out");
  return list.map((entry, index) => {
    const which = `message ${index + 1} of "${column}"`;
    const message = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    const said = message.role ?? message.from;
    if (said === "function_call") return functionCall(message.value, which, fail);
    const role =
      typeof said === "string" && Object.hasOwn(roles, said.toLowerCase()) ? roles[said.toLowerCase()] : null;
    if (role == null) return fail(`${which} is ${JSON.stringify(entry ?? null).slice(0, 80)}`, accepted);
    if (message.function_call != null)
      fail(`${which} has function_call: calls of tools in this older form are not read`, "write it as tool_calls");
    const calls = toolCalls(message.tool_calls, which, fail);
    const mayBeEmpty = role === "assistant" && (calls !== null || index === list.length - 1);
    const content = contentOf(message.content ?? message.value, { which, mayBeEmpty, fail });
    return {
      role,
      content,
      ...(calls && { tool_calls: calls }),
      ...(role === "tool" && typeof message.tool_call_id === "string" && { tool_call_id: message.tool_call_id }),
      ...(role === "tool" && typeof message.name === "string" && { name: message.name }),
    };
  });
}

function contentOf(
  content: unknown,
  { which, mayBeEmpty, fail }: { readonly which: string; readonly mayBeEmpty: boolean; readonly fail: Fail },
): string {
  if (typeof content === "string") return content;
  if (content == null && mayBeEmpty) return "";
  if (content == null) return fail(`${which} has no content`, "fill it in, or leave the row out");
  if (Array.isArray(content)) {
    const other = content.find(
      (part) => typeof part !== "string" && (part?.type !== "text" || typeof part.text !== "string"),
    );
    if (other === undefined) return content.map((part) => (typeof part === "string" ? part : part.text)).join("");
    const kind = typeof other?.type === "string" ? `of type ${other.type}` : JSON.stringify(other ?? null).slice(0, 60);
    return fail(
      `the content of ${which} has a part ${kind}`,
      'only parts of text are read: {"type": "text", "text": "..."}',
    );
  }
  return fail(`the content of ${which} is ${kindOf(content)}, a text is needed`, notTextHint, textOf(content));
}

/** What to do about a cell that is not a text. */
export const notTextHint =
  "correct the row, or leave it out; if a tool took texts for numbers or dates, write the column as text";

/** The kind of a value in words. */
export function kindOf(value: unknown): string {
  if (value instanceof Date) return "a date";
  if (ArrayBuffer.isView(value)) return "binary data";
  if (Array.isArray(value)) return "a list";
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}

/** The beginning of a value in messages. */
export function textOf(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  return (value instanceof Date ? value.toISOString() : JSON.stringify(value)).slice(0, 80);
}

function toolCalls(calls: unknown, which: string, fail: Fail): readonly unknown[] | null {
  if (calls == null || (Array.isArray(calls) && calls.length === 0)) return null;
  if (Array.isArray(calls)) return calls;
  return fail(`tool_calls of ${which} is ${kindOf(calls)}, a list is needed`, accepted);
}

/** A call as LLaMA-Factory writes it: `{"from": "function_call", "value": "{\"name\": ..., \"arguments\": ...}"}`. */
function functionCall(value: unknown, which: string, fail: Fail): Message {
  const call = typeof value === "string" ? parsed(value) : value;
  if (typeof call !== "object" || call === null || typeof (call as { name?: unknown }).name !== "string")
    return fail(`${which} is a function_call that names no function`, 'its value is {"name": ..., "arguments": {...}}');
  return { role: "assistant", content: "", tool_calls: [{ type: "function", function: call }] };
}

/**
 * The list of messages in a cell: a list, a single message, Parquet's struct of lists, or any of these as JSON in a text. null if the cell is
 * something else, such as a plain text.
 */
export function messageList(cell: unknown, column: string, fail: Fail): readonly unknown[] | null {
  if (Array.isArray(cell)) return cell;
  if (typeof cell === "string") {
    if (/^\s*\[\s*\{\s*'(role|content|from|value)'/.test(cell))
      fail(
        `"${column}" is a list of messages in Python's notation`,
        "write the column with json.dumps, or the file as JSONL or Parquet",
        cell.slice(0, 60),
      );
    if (!/^\s*\[\s*\{\s*"(role|content|from|value)"/.test(cell)) return null;
    const list = parsed(cell);
    return Array.isArray(list) && list.every(isMessage) ? list : null;
  }
  if (typeof cell !== "object" || cell === null) return null;
  if (isMessage(cell)) return [cell];
  const [names, texts] = [columnOf(cell, "role", "from"), columnOf(cell, "content", "value")];
  if (!names || names.length !== texts?.length) return null;
  return names.map((role, i) => ({ role, content: texts[i] }));
}

function columnOf(cell: object, ...keys: string[]): readonly unknown[] | null {
  const found = keys.map((key) => (cell as Record<string, unknown>)[key]).find(Array.isArray);
  return found ?? null;
}

function isMessage(value: unknown): boolean {
  const message = value as Record<string, unknown> | null;
  return typeof message === "object" && message !== null && typeof (message.role ?? message.from) === "string";
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
