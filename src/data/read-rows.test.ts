import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BallastError, DataError, UsageError } from "../util/errors.ts";
import { readRatings } from "./rating-file.ts";
import { readPreferenceRows, readPromptRows, readSftRows } from "./read-rows.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-data-"));
  path = join(folder, "rows.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (...lines: (string | object)[]) =>
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
const failure = (read: () => unknown): BallastError => {
  try {
    read();
  } catch (error) {
    if (error instanceof BallastError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};
const user = (content: string) => ({ role: "user", content });
const bare = (content: string) => ({ ...user(content), bare: true });
const assistant = (content: string) => ({ role: "assistant", content });

describe("rows", () => {
  it("SFT: prompt and completion, or messages, in one file", () => {
    write(
      { prompt: "a", completion: "b" },
      { messages: [user("c"), assistant("d"), user("e"), assistant("f")] },
      { prompt: [user("g")], completion: [assistant("h")] },
    );
    expect(readSftRows({ path })).toEqual([
      { prompt: [bare("a")], completion: "b" },
      { prompt: [user("c"), assistant("d"), user("e")], completion: "f" },
      { prompt: [user("g")], completion: "h" },
    ]);
  });

  it("preferences: texts, or conversations that end with the completion", () => {
    write({ prompt: "a", chosen: "b", rejected: [user("a"), assistant("c")] });
    expect(readPreferenceRows({ path })).toEqual([{ prompt: [user("a")], chosen: "b", rejected: "c" }]);
  });

  it("prompts: keep every column for the user's functions; a reference that is not text is theirs alone", () => {
    const rows: object[] = [
      { prompt: "a", reference: { target: 1 }, tests: ["f(1) == 2"], difficulty: 3, note: null },
      { prompt: "b", reference: ["1", "one"], constructor: 4 },
      { prompt: "c", reference: true },
    ];
    write(...rows);
    const read = readPromptRows({ path });
    expect(read.map(({ columns }) => columns)).toEqual(rows);
    expect(read.map(({ reference }) => reference)).toEqual([null, null, "true"]);
    write({ question: "a", answer: [1], reference: "not this" });
    expect(readPromptRows({ path, fields: { prompt: "question", reference: "answer" } })).toEqual([
      { prompt: [bare("a")], reference: null, columns: { question: "a", answer: [1], reference: [1] } },
    ]);
  });

  it("prompts: a number as a reference keeps its text, which no double holds", () => {
    const numbers = [
      "9007199254740993",
      "12345678901234567890",
      "6.02e23",
      "0.0000005",
      "5.0",
      "1.10",
      "1e400",
      "-0",
      "-1E-7",
    ];
    write(
      ...numbers.map(
        (number) => `{"note": "\\"reference\\": 3", "prompt": "a", "nested": {"answer": 4}, "answer": ${number} }`,
      ),
      '{"prompt": "b", "answer": "12, \\u00bd and \\"3\\"", "other": 7}',
    );
    expect(readPromptRows({ path, fields: { reference: "answer" } }).map(({ reference }) => reference)).toEqual([
      ...numbers,
      '12, \u00bd and "3"',
    ]);
  });

  it("prompts: with a reference, text or number or none, and a kind", () => {
    write(
      { prompt: "a", reference: "b", kind: "k" },
      { prompt: "c", reference: 12 },
      { prompt: "d", reference: null },
      { messages: [user("e"), assistant("f")] },
    );
    expect(readPromptRows({ path }).map(({ columns: _, ...row }) => row)).toEqual([
      { prompt: [bare("a")], reference: "b", kind: "k" },
      { prompt: [bare("c")], reference: "12" },
      { prompt: [bare("d")], reference: null },
      { prompt: [user("e")], reference: null },
    ]);
  });

  it("renames fields and stops at the limit, before what is wrong below it", () => {
    write({ question: "a", answer: "b" }, { question: "c", answer: "d" }, "nonsense");
    const fields = { prompt: "question", completion: "answer" };
    expect(readSftRows({ path, fields, limit: 2 }).map((row) => row.completion)).toEqual(["b", "d"]);
  });

  it("bears a byte order mark, CRLF, blank lines and a missing last newline", () => {
    writeFileSync(path, '\uFEFF{"prompt": "a", "completion": "é"}\r\n\r\n{"prompt": "b", "completion": "c"}\r\n\n  \n');
    expect(readSftRows({ path }).map((row) => row.completion)).toEqual(["é", "c"]);
  });

  it("takes keys and texts that are alike for what they are", () => {
    write(
      {
        prompt: 'prompt": "prompt',
        completion: "\\",
        meta: [{ prompt: 1, n: { prompt: 2 } }, { prompt: 3 }, "prompt"],
      },
      { prompt: "completion", completion: 'a\\\\", "completion": {' },
    );
    expect(readSftRows({ path })).toHaveLength(2);
  });

  it("reads lines that span chunks of the file", () => {
    const long = "é".repeat(700_001);
    write({ prompt: "a", completion: long }, { prompt: "b", completion: `${long}!` }, { prompt: "c", completion: "d" });
    expect(readSftRows({ path }).map((row) => row.completion.length)).toEqual([700_001, 700_002, 1]);
  });
});

describe("null is as good as absent", () => {
  const turns = [user("a"), assistant("b")];

  it("in every column", () => {
    write(
      { prompt: "a", completion: "b", messages: null, kind: "x" },
      { prompt: null, completion: null, messages: turns, kind: null },
    );
    expect(readSftRows({ path }).map(({ completion }) => completion)).toEqual(["b", "b"]);
    write({ prompt: "a", messages: null, reference: null, kind: null }, { prompt: null, messages: turns, kind: "sum" });
    expect(readPromptRows({ path }).map(({ prompt, reference, kind }) => [prompt.length, reference, kind])).toEqual([
      [1, null, undefined],
      [1, null, "sum"],
    ]);
    write({ prompt: null, chosen: turns, rejected: [user("a"), assistant("c")] });
    expect(readPreferenceRows({ path })).toEqual([{ prompt: [user("a")], chosen: "b", rejected: "c" }]);
    write(
      { prompt: "a", response: "b", score: 4, chosen: null, rejected: null, rater: null },
      { prompt: "a", response: null, score: null, chosen: "b", rejected: "c", rater: "ann" },
    );
    expect(readRatings(path, "bob").map(({ kind, rater }) => [kind, rater])).toEqual([
      ["rating", "bob"],
      ["preference", "ann"],
    ]);
  });

  it("but a rating beside a preference is two judgements, of which one would be dropped", () => {
    write({ prompt: "a", response: "b", score: 4, chosen: "b", rejected: "c" });
    expect(failure(() => readRatings(path, "bob")).message).toMatch(/:1: the row has a score and a preference$/);
  });

  it("an answer too, which is then an empty one", () => {
    write({ prompt: "a", completion: null }, { prompt: "a", completion: "b" });
    expect(failure(() => readSftRows({ path })).message).toMatch(/:1: "completion" is empty$/);
    expect(readSftRows({ path }, "skip").map(({ completion }) => completion)).toEqual(["", "b"]);
    write({ prompt: "a", chosen: "b", rejected: null });
    expect(readPreferenceRows({ path }, "skip")).toMatchObject([{ chosen: "b", rejected: "" }]);
  });

  it("within messages", () => {
    const empty = { name: null, tool_calls: null, function_call: null };
    write(
      { messages: turns.map((message) => ({ ...message, ...empty })) },
      { messages: [turns[0], { ...turns[1], tool_calls: [] }] },
    );
    expect(readSftRows({ path })).toEqual(Array(2).fill({ prompt: [user("a")], completion: "b" }));
    write({ messages: [user("a"), { role: "assistant", content: null, ...empty }] });
    expect(failure(() => readSftRows({ path })).message).toMatch(/:1: the last message of "messages" is empty$/);
    expect(readSftRows({ path }, "skip")).toEqual([{ prompt: [user("a")], completion: "" }]);
    write({ messages: [{ role: "user", content: null }, assistant("b")] });
    expect(failure(() => readSftRows({ path })).message).toMatch(/:1: message 1 of "messages" has no content$/);
  });

  it("but a call of a tool says something, and is kept for the chat template", () => {
    const call = { role: "assistant", content: null, tool_calls: [{ name: "close" }] };
    const answer = { role: "tool", content: "ok", name: "close", tool_call_id: "1" };
    write({ messages: [user("a"), call, answer, assistant("b")] });
    expect(readSftRows({ path })).toEqual([{ prompt: [user("a"), { ...call, content: "" }, answer], completion: "b" }]);
    write({ messages: [user("a"), call] });
    expect(failure(() => readSftRows({ path })).message).toMatch(/:1: the last message of "messages" calls a tool$/);
    write({ messages: [user("a"), { role: "assistant", content: "x", function_call: { name: "f" } }, assistant("b")] });
    expect(failure(() => readSftRows({ path })).message).toMatch(/:1: message 2 of "messages" has function_call/);
    write({ messages: [user("a"), assistant("b")], tools: [{ name: "close" }] });
    expect(readSftRows({ path })[0]!.prompt[0]).toEqual({ ...user("a"), tools: [{ name: "close" }] });
  });
});

describe("what is wrong is said by file, line and remedy", () => {
  const good = { prompt: "a", completion: "b" };
  const cases: [name: string, lines: (string | object)[], message: RegExp, hint: RegExp][] = [
    ["malformed", [good, "", '{"prompt": "a'], /rows\.jsonl:3: not valid JSON/, /cut short/],
    ["text", ["hello there"], /:1: not valid JSON/, /starts with "h"/],
    ["Python's notation", [good, "{'prompt': 'a'}"], /:2: not valid JSON/, /json\.dumps/],
    ["NaN", ['{"prompt": "a", "score": NaN}'], /:1: not valid JSON/, /write null/],
    [
      "a repeated key",
      [good, '{"prompt":"a","prompt":"b","completion":"c"}'],
      /:2: the key "prompt" stands twice/,
      /remove one/,
    ],
    [
      "a repeated key within, spelled differently",
      [good, '{"messages": [{"role": "user", "content": "a\\"{", "\\u0063ontent" : "b"}, 1], "n": {"content": {}}}'],
      /:2: the key "content" stands twice/,
      /keeps only the last/,
    ],
    ["not an object", [good, "[1]"], /:2: a JSON object is needed, this is a list/, /one object per line/],
    [
      "a missing field",
      [good, { question: "a", answer: "b" }],
      /:2: the field "prompt" is missing; the row has "question", "answer"/,
      /fields: \{prompt: question, completion: answer\}/,
    ],
    ["no fields at all", [{}], /the row has no fields/, /needs "prompt" and "completion", or "messages"/],
    [
      "an empty completion",
      [good, { prompt: "a", completion: " \n" }],
      /:2: "completion" is empty/,
      /leave the row out/,
    ],
    ["an empty prompt", [{ prompt: "", completion: "b" }], /:1: "prompt" is empty/, /leave the row out/],
    ["a wrong type", [{ prompt: "a", completion: 3 }], /:1: "completion" is a number, a text is needed/, /correct/],
    ["null", [{ prompt: null, completion: "b" }], /:1: "prompt" is null/, /correct/],
    [
      "a wrong role",
      [{ messages: [{ role: "bot", content: "x" }] }],
      /message 1 of "messages" is \{"role":"bot"/,
      /role/,
    ],
    ["no answer", [{ messages: [user("x")] }], /the last message of "messages" is the user's/, /assistant/],
    ["no question", [{ messages: [assistant("x")] }], /no message before the completion/, /add/],
    ["an empty conversation", [{ messages: [] }], /"messages" has no messages/, /fill/],
    ["nothing", [], /rows\.jsonl is empty/, /at least one row/],
    ["only blank lines", ["", "  "], /rows\.jsonl is empty/, /at least one row/],
  ];
  it.each(cases)("%s", (_, lines, message, hint) => {
    write(...lines);
    const error = failure(() => readSftRows({ path }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it("suggests a field of the row that nothing else uses", () => {
    write({ prompt: "a", chosen: "b", reject: "c" });
    expect(failure(() => readPreferenceRows({ path })).hint).toMatch(/fields: \{rejected: reject\}/);
    write({ question: "a", answer: "b" });
    expect(failure(() => readSftRows({ path, fields: { prompt: "question" } })).hint).toMatch(/\{completion: answer\}/);
  });

  it("a prompt that ends with an answer", () => {
    write({ prompt: [user("a"), assistant("b")] });
    const error = failure(() => readPromptRows({ path }));
    expect(error.message).toMatch(/:1: the last message of "prompt" is the assistant's/);
    const names = /fields: \{messages: (\w+)\}/.exec(error.hint!)![1]!;
    expect(readPromptRows({ path, fields: { messages: names } })).toMatchObject([{ prompt: [user("a")] }]);
  });

  it("a field that the configuration names and the row lacks", () => {
    write({ prompt: "a", ref: "b" });
    expect(failure(() => readPromptRows({ path, fields: { reference: "answer" } })).message).toMatch(
      /"answer" is missing/,
    );
  });

  it("a name in `fields` that is none of Ballast's", () => {
    write(good);
    const error = failure(() => readSftRows({ path, fields: { promt: "q" } }));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.hint).toMatch(/prompt, completion, messages/);
  });

  it("no such file, a folder, not UTF-8", () => {
    expect(failure(() => readSftRows({ path: `${path}x` })).message).toMatch(/no such file/);
    expect(failure(() => readSftRows({ path: folder })).message).toMatch(/it is a folder/);
    writeFileSync(path, Buffer.from([...Buffer.from(`${JSON.stringify(good)}\n`), 0xff, 0xfe, 0x0a]));
    expect(failure(() => readSftRows({ path })).message).toMatch(/rows\.jsonl:2: not UTF-8/);
  });
});
