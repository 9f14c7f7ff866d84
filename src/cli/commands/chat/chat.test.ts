/** A chat: several turns with the chat template, two models side by side, its commands, stopped answers, saved rows. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporaryFolder as keptFolder } from "../../../../test/support/gpt2.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { tinyModel } from "../../../../test/support/tiny-model.ts";
import type { Engine } from "../../../engine/engine.ts";
import { openEngine } from "../../../engine/open-engine.ts";
import { loadTokenizer, type Tokenizer } from "../../../text/index.ts";
import { wordOf } from "./chat-words.ts";
import { type ChatLines, chat } from "./index.ts";

const place = keptFolder();
const model = join(place, "model");
let engine: Engine;
let id: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  await tinyModel(model, { context: 80 });
  engine = await openEngine({ threads: 1 });
  tokenizer = loadTokenizer(model);
  ({ id } = await engine.loadModel(model, { heads: ["lm"] }));
});
afterAll(() => engine.close());

const sampling = { temperature: 0, topK: 0, topP: 1, maxTokens: 12, seed: 3, threads: 1, workspace: place };

/** The chat over these lines; `stopAfter` stops each answer after so many looks between two pieces. */
async function chatted(
  typed: readonly string[],
  options: Partial<Parameters<typeof chat>[0]> = {},
  stopAfter?: number,
) {
  const terminal = keptTerminal();
  const raw: string[] = [];
  let looks = 0;
  const lines: ChatLines = {
    typed: stopAfter !== undefined,
    ready: () => {
      looks = 0;
    },
    stopped: () => stopAfter !== undefined && looks++ >= stopAfter,
    close() {},
    async *[Symbol.asyncIterator]() {
      yield* typed;
    },
  };
  const code = await chat({
    ...sampling,
    target: model,
    terminal: { ...terminal, raw: (text) => void raw.push(text) },
    lines,
    ...options,
  });
  return { code, lines: terminal.lines, notes: terminal.notes, raw };
}

/** What one call of the engine answers to a conversation. */
async function reference(contents: readonly string[]): Promise<string> {
  const messages = contents.map((content, i) => ({
    role: i % 2 === 0 ? ("user" as const) : ("assistant" as const),
    content,
  }));
  const { tokens } = await engine.sample(id, {
    ...{ prompts: [tokenizer.encodePrompt(messages)], maxNewTokens: 12, stopTokens: tokenizer.stopIds },
    ...{ temperature: 0, topK: 0, topP: 1, seed: 0 },
  });
  return tokenizer.decode(tokens[0]!);
}

it("answers each turn with all earlier ones before it, as one call of the engine would, until /reset", async () => {
  const [first, second] = ["what is 2 plus 3 ?", "name a colour"];
  const { code, lines, notes } = await chatted([first, second, "/reset", second, "", "/rest"]);
  const one = await reference([first]);
  const alone = await reference([second]);
  const text = (line: string | undefined) => line?.replace(" […]", "");
  expect([code, lines.length]).toEqual([0, 3]);
  expect(lines.map(text)).toEqual([one, await reference([first, one, second]), alone]);
  expect(notes).toEqual(["A new conversation.", "There is no /rest. Did you mean /reset?"]);
});

it("with two models keeps two conversations, and saves them as rows of messages", async () => {
  const file = join(place, "chat.jsonl");
  const typed = ["/save x", "say hello", `/save ${file}`, "/reset", "water", `/save ${file}`];
  const { lines, notes } = await chatted(typed, { model: [model, `${model}/`], system: "name a colour" });
  expect(notes[0]).toBe("Nothing to save: there is no answer yet.");
  expect(lines.map((line) => line.split(": ")[0])).toEqual([model, `${model}/`, model, `${model}/`]);
  const rows = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(rows.map(({ messages }) => messages.map(({ role }: { role: string }) => role).join())).toEqual(
    Array(4).fill("system,user,assistant"),
  );
  expect(rows.map(({ model }) => model)).toEqual([model, `${model}/`, model, `${model}/`]);
});

it("shows text as it comes, stops between two pieces, and goes on from what was said", async () => {
  const { raw } = await chatted(["say hello", "wet"], {}, 1);
  const whole = await reference(["say hello"]);
  const said = raw.join("").split("\n")[0]!;
  expect(said.endsWith(" […]")).toBe(true);
  const text = said.replace(/ \[…\]|\(nothing\)/g, "").trimEnd();
  expect([whole.startsWith(text), text.length < whole.length]).toEqual([true, true]);
});

it("answers programs with one line of JSON each, and exits with 1 if a conversation outgrew the context", async () => {
  const long = "what is 2 plus 3 ? ".repeat(9);
  const { code, lines, notes } = await chatted(["wet", long, long], { json: true, temperature: 1 });
  expect(JSON.parse(lines[0]!)).toMatchObject({ model, prompt: "wet", reason: expect.stringMatching(/stop|length/) });
  expect([code, notes.join()]).toEqual([1, expect.stringMatching(/reads 80\. Begin anew \(\/reset/)]);
});

it("refuses three models, and a checkpoint of no run", async () => {
  await expect(chatted([], { model: [model, model, model] })).rejects.toThrow("3 models at once");
  await expect(chatted([], { model: ["20"] })).rejects.toThrow("there is no run");
});

it.each([
  ["//path", { kind: "message", text: "/path" }],
  ["/temperature 0.7", { kind: "temperature", value: 0.7 }],
  ["/temperature hot", { kind: "mistake", says: "/temperature needs a number from 0: /temperature 0.7" }],
  ["/save", { kind: "mistake", says: "/save needs a file: /save chat.jsonl" }],
  ["/quit", { kind: "quit" }],
])("%s", (line, word) => expect(wordOf(line)).toEqual(word));
