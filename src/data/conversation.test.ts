/** Pairs and demonstrations whose columns have conversations: one history, or an error with the row's line. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { BallastError } from "../util/errors.ts";
import { sharedBeginning } from "./conversation.ts";
import { readPreferenceRows, readPromptRows, readSftRows } from "./read-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-conversation-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(...rows: object[]): { path: string } {
  const path = join(folder, "rows.jsonl");
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return { path };
}
function faultOf(read: () => unknown): BallastError {
  try {
    read();
  } catch (error) {
    return error as BallastError;
  }
  throw new Error("it could be read");
}
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const system = (content: string) => ({ role: "system", content });

const history = [user("open file 0"), assistant("which folder?"), user("in a")];
const chosen = [...history, assistant("opening a/0.")];
const rejected = [...history, assistant("i can not.")];
const pair = { prompt: history, chosen: "opening a/0.", rejected: "i can not." };

describe("the common history of a pair is its prompt", () => {
  it.each([
    ["without a prompt", {}, history],
    ["whose beginning the prompt is", { prompt: "open file 0" }, history],
    ["whose end the prompt is", { prompt: " in a\n" }, history],
    ["which the prompt repeats", { prompt: history }, history],
    [
      "to which the prompt adds the system's message",
      { prompt: [system("be brief"), user("open file 0")] },
      [system("be brief"), ...history],
    ],
  ])("%s", (_, more, prompt) => {
    expect(readPreferenceRows(file({ ...more, chosen, rejected, source: "mix" }))).toEqual([{ ...pair, prompt }]);
  });

  it("and goes on from a prompt that it does not repeat", () => {
    const more = { prompt: "hi", chosen: [assistant("yes?"), user("b"), assistant("c")] };
    const rows = readPreferenceRows(file({ ...more, rejected: [...more.chosen.slice(0, 2), assistant("d")] }));
    expect(rows).toEqual([{ prompt: [user("hi"), assistant("yes?"), user("b")], chosen: "c", rejected: "d" }]);
  });

  it("is an error by line if the prompt or the other history says something else", () => {
    const other = [user("open file 0"), assistant("which one?"), user("in a"), assistant("sorry.")];
    expect(() =>
      readPreferenceRows(file({ chosen, rejected }, { chosen, rejected: other }, { chosen, rejected: other })),
    ).toThrow(
      /^2 rows cannot be used\n.*rows\.jsonl:2-3: "chosen" and "rejected" answer different conversations, the first of them message 2, the assistant's "which folder\?" against the assistant's "which one\?"$/,
    );
    expect(() => readPreferenceRows(file({ prompt: "close file 9", chosen, rejected }))).toThrow(
      /rows\.jsonl:1: "prompt" is not in the conversation that "chosen" answers: the user's "close file 9" against the user's "open file 0"/,
    );
    const longer = [...history, assistant("a"), user("b"), assistant("c")];
    expect(() => readPreferenceRows(file({ chosen: longer, rejected }))).toThrow(/message 4, .*"a" against none/);
  });

  it("of a demonstration too: nothing before the completion is dropped", () => {
    expect(readSftRows(file({ prompt: "open file 0", completion: chosen }))).toEqual([
      { prompt: history, completion: "opening a/0." },
    ]);
    expect(readSftRows(file({ prompt: "open file 0", messages: chosen }))).toHaveLength(1);
    expect(() => readSftRows(file({ prompt: "close", messages: chosen }))).toThrow(
      /"prompt" is not in the conversation/,
    );
  });
});

describe("messages beside a prompt", () => {
  const asked = [user("q"), assistant("which?"), user("this")];

  it("are an error by line unless they agree", () => {
    const other = { messages: [user("q"), assistant("r")] };
    expect(() =>
      readSftRows(file({ prompt: "p", completion: "c" }, { prompt: "p", completion: "r", ...other })),
    ).toThrow(
      /rows\.jsonl:2: "prompt" is not in the conversation that "messages" answers: the user's "p" against the user's "q"$/,
    );
    expect(() => readSftRows(file({ prompt: "q", completion: "c", ...other }))).toThrow(
      /rows\.jsonl:1: "completion" is not the last message of "messages": "c" against "r"$/,
    );
    expect(() => readPromptRows(file({ prompt: "q", messages: [user("z")] }))).toThrow(
      /rows\.jsonl:1: "prompt" is not in the conversation that "messages" answers: the user's "q" against the user's "z"$/,
    );
    const column = { path: file({ ask: "q", dialog: [user("z"), assistant("a")] }).path };
    expect(() => readPromptRows({ ...column, fields: { prompt: "ask", messages: "dialog" } })).toThrow(
      /that "dialog" answers/,
    );
  });

  it("that agree lose nothing: the longer one is the prompt", () => {
    const bare = [{ ...user("q"), bare: true }];
    expect(readSftRows(file({ prompt: "q", completion: " r", messages: [user("q"), assistant("r")] }))).toEqual([
      { prompt: bare, completion: " r" },
    ]);
    expect(readSftRows(file({ prompt: "this", completion: "r", messages: [...asked, assistant("r")] }))).toEqual([
      { prompt: asked, completion: "r" },
    ]);
    const rows = file(
      { prompt: "q", messages: [user("q")] },
      { prompt: "q", messages: [assistant("r")] },
      { prompt: "q", messages: [...asked, assistant("r")] },
      { prompt: [user("q")], messages: [system("s"), user("q"), assistant("r")] },
    );
    expect(readPromptRows(rows).map(({ prompt }) => prompt)).toEqual([bare, bare, asked, [system("s"), user("q")]]);
  });
});

describe("implicit prompts", () => {
  const turns = (answer: string) =>
    `\n\nHuman: open file 0\n\nAssistant: which folder?\n\nHuman: in a\n\nAssistant:${answer}`;

  it("HH-RLHF's strings", () => {
    expect(readPreferenceRows(file({ chosen: turns(" opening a/0."), rejected: turns(" i can not.") }))).toEqual([
      pair,
    ]);
    expect(readPreferenceRows(file({ prompt: "in a", chosen: turns(" x\n\ny"), rejected: turns(" z") }))).toEqual([
      { prompt: history, chosen: "x\n\ny", rejected: "z" },
    ]);
    expect(() =>
      readPreferenceRows(file({ chosen: turns(" a"), rejected: turns(" b").replace("in a", "in c") })),
    ).toThrow(/rows\.jsonl:1: .* different conversations/);
    expect(() => readPreferenceRows(file({ chosen: turns(" a"), rejected: turns("") }))).toThrow(
      /:1: the last message of "rejected" is empty/,
    );
  });

  it("TRL's two texts: what both begin with, in whole words", () => {
    const texts = { chosen: "The sum of 5 and 7 is 12.", rejected: "The sum of 5 and 7 is 13.", score: 3, note: null };
    expect(readPreferenceRows(file(texts))).toEqual([
      { prompt: [{ ...user("The sum of 5 and 7 is"), bare: true }], chosen: " 12.", rejected: " 13." },
    ]);
    expect(() => readPreferenceRows(file({ chosen: "yes", rejected: "no" }))).toThrow(/"prompt" is missing/);
    // Nothing that the hint asks for is there already.
    for (const answers of [
      { chosen: "same words a", rejected: "other words b" },
      { chosen: "same", rejected: "same", prompt: null },
    ]) {
      const fault = faultOf(() => readPreferenceRows(file(answers)));
      expect(fault.message).toMatch(
        /:1: the field "prompt" is missing, and the two answers share no beginning to take as the prompt$/,
      );
      expect(fault.hint).toMatch(/add the prompt, or leave the row out$/);
    }
    expect(faultOf(() => readPreferenceRows(file({ ...texts, response: "x" }))).hint).toMatch(
      /a row needs "prompt" and "chosen" and "rejected"$/,
    );
    // A prompt under a different name must not be lost.
    expect(() => readPreferenceRows(file({ ...texts, question: "what is 5 plus 7?" }))).toThrow(/"prompt" is missing/);
  });

  it("leaves words of both answers", () => {
    expect(sharedBeginning("The sky", "The sky is blue")).toBe("The");
    expect(sharedBeginning("same", "same")).toBe("");
    expect(sharedBeginning("a b", "c b")).toBe("");
  });
});
