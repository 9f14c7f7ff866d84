/** A hint that proposes names has tried them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parse } from "yaml";
import type { BallastError } from "../util/errors.ts";
import { type DataSource, readPreferenceRows, readPromptRows, readSftRows } from "./read-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-names-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "rows.jsonl");

function hintOf(read: (source: DataSource) => unknown, row: object): string {
  writeFileSync(path, JSON.stringify(row));
  try {
    read({ path });
  } catch (error) {
    return (error as BallastError).hint!;
  }
  throw new Error("it could be read");
}

const messages = [
  { role: "user", content: "hi" },
  { role: "assistant", content: "hello" },
];

it.each<[string, (source: DataSource) => unknown, object]>([
  ["both fields, by their usual names", readSftRows, { id: "x", answer: "4", question: "2 + 2?" }],
  ["a conversation", readSftRows, { source: "mix", dialog: messages }],
  ["a name that YAML would read as something else", readPromptRows, { "user: prompt": "hi" }],
  ["a name that YAML has another meaning for", readPromptRows, { yes: "hi" }],
  ["an answer to histories", readPreferenceRows, { chosen: messages, reject: messages }],
  ["the prompt beside two texts that begin alike", readPreferenceRows, { query: "q", chosen: "a b", rejected: "a c" }],
  ["prompts in a file of pairs", readPromptRows, { chosen: messages, rejected: messages }],
  [
    "prompts in HH-RLHF's file",
    readPromptRows,
    { chosen: "\n\nHuman: a\n\nAssistant: b", rejected: "\n\nHuman: a\n\nAssistant: c" },
  ],
  ["demonstrations in a file of pairs", readSftRows, { prompt: "a", chosen: "b", rejected: "c" }],
  [
    "demonstrations in HH-RLHF's file",
    readSftRows,
    { chosen: "\n\nHuman: a\n\nAssistant: b", rejected: "\n\nHuman: a\n\nAssistant: c" },
  ],
])("%s", (_, read, row) => {
  const hint = hintOf(read, row);
  const { fields } = parse(/fields: .*$/.exec(hint)![0]);
  expect(() => read({ path, fields })).not.toThrow();
  expect(Object.values(fields)).not.toContain("id");
  expect(Object.values(fields)).not.toContain("rejected");
});

it.each<[string, (source: DataSource) => unknown, object, RegExp]>([
  [
    "one column for two fields",
    readSftRows,
    { body: "all of it" },
    /correct .* needs "prompt" and "completion", or "messages"$/,
  ],
  ["numbers", readPromptRows, { id: 3, score: 0.5 }, /needs "prompt", or "messages"$/],
  [
    "two texts of which a third column says which is better",
    readPreferenceRows,
    { prompt: "q", a: "x", b: "y", best: "a" },
    /needs "prompt" and "chosen" and "rejected"/,
  ],
  ["only answers", readPromptRows, { answer: "x" }, /needs "prompt", or "messages"$/],
  ["a conversation that ends with the user", readSftRows, { dialog: messages.slice(0, 1) }, /needs "prompt"/],
])("proposes none that cannot work: %s", (_, read, row, expected) => {
  const hint = hintOf(read, row);
  expect(hint).not.toContain("fields:");
  expect(hint).toMatch(expected);
});

it("says which columns it may be if it cannot tell", () => {
  expect(hintOf(readPromptRows, { id: "x", ask: "what?", told: "that", score: 3 })).toMatch(
    /, of "ask", "told", say so .*\{prompt: \.\.\.\}/,
  );
});

it("a name of the configuration that no row has is told, one that some rows lack is not", () => {
  writeFileSync(path, '{"prompt": "a", "topic": "x"}\n{"prompt": "b"}\n{"prompt": "c", "topic": null}\n');
  expect(readPromptRows({ path, fields: { kind: "topic" } }).map(({ kind }) => kind)).toEqual([
    "x",
    undefined,
    undefined,
  ]);
  expect(() => readPromptRows({ path, fields: { kind: "topics" } })).toThrow(/"topics" is missing from every row/);
});
