/** Messages of tools reach a template that has a place for them; one that would drop them refuses the conversation. */
import { expect, it } from "vitest";
import { buildTokenizer } from "./build.ts";
import type { Message } from "./tokenizer.ts";

const template =
  "{% if tools %}tools: {{ tools | tojson }}\n{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}" +
  "{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments.at }}{% endif %}{% if m.role == 'tool' %}({{ m.name }}){% endif %}{% endfor %}";
const tokenizer = (chatTemplate?: string) =>
  buildTokenizer({ kind: "byte", vocabularySize: 0, ...(chatTemplate && { chatTemplate }) }, []);
const call = { function: { name: "tide", arguments: { at: "<eos>" } } };
const conversation: Message[] = [
  { role: "user", content: "tide?", tools: [{ name: "tide" }] },
  { role: "assistant", content: "", tool_calls: [call] },
  { role: "tool", content: "low", name: "tide" },
];

it("as they stand in the row, and what a user writes in them is never a special token", () => {
  const with_ = tokenizer(template);
  const ids = with_.encodePrompt(conversation);
  expect(with_.decode(ids, { special: true })).toBe(
    'tools: [{"name": "tide"}]\n[user]tide?[assistant]<eos>[tool]low(tide)',
  );
  expect(ids).not.toContain(with_.eosId);
});

it.each<[string, Message[], RegExp]>([
  ["tools", [conversation[0]!], /has no place for tools$/],
  ["calls", [{ role: "user", content: "a" }, conversation[1]!], /has no place for tool_calls$/],
  ["answers", [{ role: "user", content: "a" }, conversation[2]!], /has no place for a tool's message$/],
])("refused: %s", (_, messages, message) => {
  expect(() => tokenizer().encodePrompt(messages)).toThrow(message);
});
