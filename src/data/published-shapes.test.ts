/** Rows exactly as published data sets have them, with content of our own: what each is read as, and what is not understood. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { BallastError } from "../util/errors.ts";
import { isMark } from "./published-shapes.ts";
import { createReport } from "./read-report.ts";
import { readPreferenceRows, readPromptRows, readSftRows } from "./read-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-shapes-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "rows.json");
const write = (...rows: object[]) => writeFileSync(path, JSON.stringify(rows, null, 1));
const user = (content: string) => ({ role: "user", content });
const bare = (content: string) => ({ ...user(content), bare: true });
const assistant = (content: string) => ({ role: "assistant", content });
const system = (content: string) => ({ role: "system", content });
function failure(read: () => unknown): BallastError {
  try {
    read();
  } catch (error) {
    return error as BallastError;
  }
  throw new Error("it could be read");
}

const shareGpt = {
  id: "identity_0",
  conversations: [
    { from: "system", value: "be brief" },
    { from: "human", value: "which tide is it?" },
    { from: "gpt", value: "low tide." },
  ],
};
const alpaca = { instruction: "Name the capital.", input: "Norway", output: "Oslo.", text: "Below is ..." };
const shp = {
  ...{ post_id: "himc90", domain: "askculinary_train", upvote_ratio: 0.99, history: "Why salt the water?" },
  ...{ c_root_id_A: "fwhp565", c_root_id_B: "fwhpkhu", created_at_utc_A: 1593500568, created_at_utc_B: 1593500875 },
  ...{ score_A: 52, score_B: 54, human_ref_A: "For the taste.", human_ref_B: "It boils later." },
  ...{ labels: 0, seconds_difference: 307, score_ratio: 1.04 },
};
const helpSteer = {
  ...{ prompt: "What is dew?", response: "Water from the air.", helpfulness: 4, correctness: 4 },
  ...{ coherence: 4, complexity: 1, verbosity: 1 },
};
const helpSteer2 = {
  ...{ split: "train", prompt: "What is dew?", response_1: "A drop.", response_2: "Water from the air." },
  ...{ preference_strength: 2, preference_statement: "Response 2 is better", preference_elaboration: "fuller" },
  ...{ three_most_similar_preferences: [{ statement: "s", elaboration: "e", strength: 2 }] },
};
const helpSteer3 = {
  ...{ domain: "stem", language: "english", context: [user("hi"), assistant("yes?"), user("What is dew?")] },
  ...{ response1: "Water from the air.", response2: "A drop.", overall_preference: -1 },
  individual_preference: [{ score: -1, reasoning: "r", feedback1: "f", feedback2: "g" }],
};
const summaries = {
  info: {
    id: "t3_34xale",
    post: "My boat leaks.",
    title: "What now?",
    subreddit: "sailing",
    site: null,
    article: null,
  },
  summaries: [
    { text: " A leak.", policy: "sup2", note: null },
    { text: "Boat leaks; asks for help.", policy: "ref", note: null },
  ],
  ...{ choice: 1, worker: "w0", batch: "batch3.json", split: "train", extra: { confidence: null } },
};
const completion = (response: string, overall_score: number) => ({
  annotations: { helpfulness: { Type: ["1"], Rationale: "r", Rating: "4", "Rationale For Rating": "x" } },
  ...{ custom_system_prompt: "s", model: "m", principle: "helpfulness", response, critique: "c", overall_score },
  "fine-grained_score": 4.5,
});
const ultraFeedback = {
  ...{ source: "evol_instruct", instruction: "Name a bird.", models: ["a", "b", "c"] },
  completions: [completion("A wren.", 7), completion("Bird.", 2.5), completion("A cat.", 1)],
  ...{ correct_answers: ["None"], incorrect_answers: ["None"] },
};
const binarized = {
  ...{ prompt: "Name a bird.", prompt_id: "0a1b2c" },
  chosen: [user("Name a bird."), assistant("A wren.")],
  rejected: [user("Name a bird."), assistant("A cat.")],
  messages: [user("Name a bird."), assistant("A wren.")],
  ...{ score_chosen: 8, score_rejected: 4 },
};
const hh = (answer: string) =>
  `\n\nHuman: Name a bird.\n\nAssistant: Why?\n\nHuman: For a quiz.\n\nAssistant: ${answer}`;
const bird = [user("Name a bird."), assistant("Why?"), user("For a quiz.")];
const pkuSafe = {
  ...{ prompt: "Is it deep?", response_0: "No idea.", response_1: "Yes, take care.", is_response_0_safe: true },
  ...{ is_response_1_safe: true, better_response_id: 1, safer_response_id: 0 },
};
const arena = {
  ...{ question_id: "58210e", model_a: "m", model_b: "n", winner: "model_b", judge: "arena_user_1", turn: 1 },
  conversation_a: [user("hi"), assistant("what?")],
  conversation_b: [user("hi"), assistant("hello.")],
  ...{ anony: true, language: "English", tstamp: 1682351591.1, toxic_chat_tag: {} },
};

describe("demonstrations", () => {
  it.each<[string, object, object]>([
    ["ShareGPT", shareGpt, { prompt: [system("be brief"), user("which tide is it?")], completion: "low tide." }],
    [
      "ShareGPT with a system column",
      { system: "be brief", conversations: shareGpt.conversations.slice(1), tools: "" },
      { prompt: [system("be brief"), user("which tide is it?")], completion: "low tide." },
    ],
    [
      "ShareGPT as Parquet's struct of lists",
      { conversations: { from: ["human", "gpt"], value: ["which tide is it?", "low tide."] } },
      { prompt: [user("which tide is it?")], completion: "low tide." },
    ],
    [
      "messages as JSON in a cell",
      { messages: JSON.stringify([user("a"), assistant("b")]) },
      { prompt: [user("a")], completion: "b" },
    ],
    [
      "content parts of text",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b" },
            ],
          },
          assistant("c"),
        ],
      },
      { prompt: [user("ab")], completion: "c" },
    ],
    ["Alpaca with an input", alpaca, { prompt: [bare("Name the capital.\n\nNorway")], completion: "Oslo." }],
    ["Alpaca without", { ...alpaca, input: "" }, { prompt: [bare("Name the capital.")], completion: "Oslo." }],
    [
      "Dolly",
      { instruction: "When?", context: "In May it rained.", response: "In May.", category: "closed_qa" },
      { prompt: [bare("When?\n\nIn May it rained.")], completion: "In May." },
    ],
    [
      "OpenOrca",
      { id: "niv.1", system_prompt: "be brief", question: "when?", response: "now." },
      { prompt: [system("be brief"), user("when?")], completion: "now." },
    ],
    ["TL;DR", { prompt: "POST: x\n\nTL;DR:", label: " y" }, { prompt: [bare("POST: x\n\nTL;DR:")], completion: " y" }],
    ["HelpSteer", helpSteer, { prompt: [bare("What is dew?")], completion: "Water from the air." }],
    ["UltraFeedback, binarized", binarized, { prompt: [user("Name a bird.")], completion: "A wren." }],
    [
      "plain text",
      { text: "It was a dark night.", meta: { id: 1 } },
      { prompt: [], completion: "It was a dark night.", plain: true },
    ],
    [
      "calls of tools as LLaMA-Factory writes them",
      {
        conversations: [
          { from: "human", value: "tide?" },
          { from: "function_call", value: '{"name": "tide", "arguments": {"at": "Oslo"}}' },
          { from: "observation", value: "low" },
          { from: "gpt", value: "It is low." },
        ],
        tools: '[{"name": "tide"}]',
      },
      {
        prompt: [
          { ...user("tide?"), tools: [{ name: "tide" }] },
          {
            ...assistant(""),
            tool_calls: [{ type: "function", function: { name: "tide", arguments: { at: "Oslo" } } }],
          },
          { role: "tool", content: "low" },
        ],
        completion: "It is low.",
      },
    ],
  ])("%s", (_, row, expected) => {
    write(row);
    const [read] = readSftRows({ path });
    const wanted = expected as { prompt: object[]; completion: string };
    // One message of a text is bare, whether or not a `messages` column repeats it.
    expect({ ...read, prompt: read!.prompt.map(({ bare: _, ...message }) => message) }).toEqual({
      ...wanted,
      prompt: wanted.prompt.map((message) => ({ ...message, bare: undefined })),
    });
  });

  it("KTO: an answer whose label says that it is bad is not imitated, and is counted", () => {
    const row = (label: unknown) => ({ prompt: [user("a")], completion: [assistant("b")], label });
    write(row(true), row(false), { ...row("False"), completion: [assistant("c")] });
    const report = createReport();
    expect(readSftRows({ path, report })).toEqual([{ prompt: [user("a")], completion: "b" }]);
    expect(report.leftOut).toEqual({ "whose label says that the answer is bad": 2 });
  });
});

describe("preferences", () => {
  it.each<[string, object, object]>([
    [
      "explicit",
      { prompt: "a", chosen: "b", rejected: "c", id: "x" },
      { prompt: [bare("a")], chosen: "b", rejected: "c" },
    ],
    [
      "HH-RLHF",
      { chosen: hh("A wren."), rejected: hh("A cat.") },
      { prompt: bird, chosen: "A wren.", rejected: "A cat." },
    ],
    ["UltraFeedback, binarized", binarized, { prompt: [user("Name a bird.")], chosen: "A wren.", rejected: "A cat." }],
    ["UltraFeedback", ultraFeedback, { prompt: [bare("Name a bird.")], chosen: "A wren.", rejected: "A cat." }],
    [
      "ratings beside the answers",
      {
        source: "x",
        prompt: "a",
        chosen: "b",
        "chosen-rating": 5,
        "chosen-model": "m",
        rejected: "c",
        "rejected-rating": 3,
      },
      { prompt: [bare("a")], chosen: "b", rejected: "c" },
    ],
    [
      "SHP, B preferred",
      shp,
      { prompt: [bare("Why salt the water?")], chosen: "It boils later.", rejected: "For the taste." },
    ],
    [
      "SHP, A preferred",
      { ...shp, labels: 1 },
      { prompt: [bare("Why salt the water?")], chosen: "For the taste.", rejected: "It boils later." },
    ],
    ["HelpSteer2", helpSteer2, { prompt: [bare("What is dew?")], chosen: "Water from the air.", rejected: "A drop." }],
    ["HelpSteer3", helpSteer3, { prompt: helpSteer3.context, chosen: "Water from the air.", rejected: "A drop." }],
    [
      "TL;DR comparisons",
      summaries,
      {
        prompt: [bare("SUBREDDIT: r/sailing\n\nTITLE: What now?\n\nPOST: My boat leaks.\n\nTL;DR:")],
        ...{ chosen: " Boat leaks; asks for help.", rejected: " A leak." },
      },
    ],
    ["PKU-SafeRLHF", pkuSafe, { prompt: [bare("Is it deep?")], chosen: "Yes, take care.", rejected: "No idea." }],
    ["Chatbot Arena", arena, { prompt: [user("hi")], chosen: "hello.", rejected: "what?" }],
    [
      "Orca pairs",
      { system: "be brief", question: "when?", chosen: "now.", rejected: "never." },
      { prompt: [system("be brief"), user("when?")], chosen: "now.", rejected: "never." },
    ],
    [
      "Alpaca pairs",
      { instruction: "Translate.", input: "hei", chosen: "hello", rejected: "hay" },
      { prompt: [bare("Translate.\n\nhei")], chosen: "hello", rejected: "hay" },
    ],
    [
      "ShareGPT pairs",
      {
        conversations: [{ from: "human", value: "hi" }],
        chosen: { from: "gpt", value: "yes?" },
        rejected: { from: "gpt", value: "no." },
      },
      { prompt: [user("hi")], chosen: "yes?", rejected: "no." },
    ],
    [
      "implicit, beside ids and sources",
      { id: "77", source: "a book", chosen: "The sky is blue.", rejected: "The sky is wet.", model: "m" },
      { prompt: [bare("The sky is")], chosen: " blue.", rejected: " wet." },
    ],
  ])("%s", (_, row, expected) => {
    write(row);
    expect(readPreferenceRows({ path })).toEqual([expected]);
  });

  it("a label that prefers neither leaves the row out, counted; any other is an error", () => {
    write(
      { ...helpSteer2, preference_strength: 0 },
      { ...arena, winner: "tie (bothbad)" },
      { ...ultraFeedback, completions: [completion("a", 3), completion("b", 3)] },
      shp,
    );
    const report = createReport();
    expect(readPreferenceRows({ path, report })).toHaveLength(1);
    expect(report.leftOut).toEqual({ "that prefer neither answer": 3 });
    expect(Object.values(report.shapes)).toEqual([1]);
    write({ ...shp, labels: 7 });
    const { message, hint } = failure(() => readPreferenceRows({ path }));
    expect(message).toMatch(/rows\.json:2: "labels" does not say which answer is better: 7$/);
    expect(hint).toBe('it is 1 for "human_ref_A", 0 for "human_ref_B"');
    write({ ...binarized, score_chosen: 3, score_rejected: 9 });
    expect(failure(() => readPreferenceRows({ path })).message).toMatch(
      /"score_chosen" is below "score_rejected": 3 against 9/,
    );
  });

  it("single answers with a label become pairs only when asked, of the answers to one prompt", () => {
    const row = (prompt: string, completion: string, label: unknown) => ({ prompt, completion, label });
    write(
      row("a", "good", true),
      row("a", "bad", false),
      row("b", "x", true),
      row("a", "worse", false),
      row("b", "y", true),
    );
    const asked = failure(() => readPreferenceRows({ path }));
    expect(asked.message).toMatch(/the row holds one answer with a "label", not a pair$/);
    expect(asked.hint).toContain("reward.data.pairsFrom: label");
    const report = createReport();
    expect(readPreferenceRows({ path, pairsFrom: "label", report })).toEqual([
      { prompt: [bare("a")], chosen: "good", rejected: "bad" },
      { prompt: [bare("a")], chosen: "good", rejected: "worse" },
    ]);
    expect(report.leftOut).toEqual({ "whose prompt has no answer with a different label": 2 });
    write(helpSteer, { ...helpSteer, response: "No.", helpfulness: 0 });
    expect(readPreferenceRows({ path, pairsFrom: "helpfulness" })).toEqual([
      { prompt: [bare("What is dew?")], chosen: "Water from the air.", rejected: "No." },
    ]);
    write(row("a", "b", "often"));
    expect(failure(() => readPreferenceRows({ path, pairsFrom: "label" })).message).toMatch(
      /:2: "label" is not a label: "often"/,
    );
  });
});

describe("prompts", () => {
  it.each<[string, object, object[]]>([
    ["ShareGPT", shareGpt, [system("be brief"), user("which tide is it?")]],
    ["Alpaca", alpaca, [bare("Name the capital.\n\nNorway")]],
    ["SHP, whatever the label says", { ...shp, labels: null }, []],
    ["SHP", { ...shp, labels: 5 }, [bare("Why salt the water?")]],
    ["HelpSteer3", helpSteer3, helpSteer3.context],
    ["UltraFeedback", ultraFeedback, [bare("Name a bird.")]],
    ["UltraFeedback, binarized", binarized, [user("Name a bird.")]],
  ])("%s", (_, row, expected) => {
    write(row);
    if (expected.length === 0)
      return expect(failure(() => readPromptRows({ path })).message).toMatch(/"prompt" is missing/);
    const strip = (messages: readonly object[]) => messages.map((message) => ({ ...message, bare: undefined }));
    expect(strip(readPromptRows({ path })[0]!.prompt)).toEqual(strip(expected));
  });
});

describe("what is not understood is said by file and row, with what would be accepted", () => {
  it.each<[string, object, RegExp, RegExp]>([
    [
      "a part that is no text",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }, assistant("b")] },
      /:2: the content of message 1 of "messages" has a part of type image_url$/,
      /"type": "text"/,
    ],
    [
      "a number as content",
      { messages: [{ role: "user", content: 19844 }, assistant("b")] },
      /:2: the content of message 1 of "messages" is a number, a text is needed: 19844/,
      /took texts for numbers or dates/,
    ],
    [
      "an unknown role",
      {
        conversations: [
          { from: "narrator", value: "x" },
          { from: "gpt", value: "y" },
        ],
      },
      /:2: message 1 of "conversations" is \{"from":"narrator"/,
      /"from": "human" or "gpt"/,
    ],
    [
      "Python's notation",
      { messages: "[{'role': 'user', 'content': 'a'}]" },
      /:2: "messages" is a list of messages in Python's notation/,
      /json\.dumps/,
    ],
    [
      "ids alone",
      { prompt_id: "abc", completion_id: "def" },
      /:2: the field "prompt" is missing/,
      /else correct the row/,
    ],
  ])("%s", (_, row, message, hint) => {
    write(row);
    const error = failure(() => readSftRows({ path }));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it("a date that another tool made of a text, with the file's own word for it", () => {
    const dates = join(import.meta.dirname, "../../test/fixtures/dates.parquet");
    const { message, hint } = failure(() => readSftRows({ path: dates }));
    expect(message).toMatch(
      /dates\.parquet:1-2: "completion" is a date \(the file declares the column as DATE\), a text is needed, the first of them 2024-05-01/,
    );
    expect(hint).toMatch(/write the column as text/);
  });

  it("an id is never a text", () => {
    for (const name of [
      "id",
      "prompt_id",
      "post_id",
      "c_root_id_A",
      "uuid",
      "source",
      "model",
      "chosen-model",
      "score",
    ])
      expect(isMark(name), name).toBe(true);
    for (const name of ["question", "ask", "task", "humanid", "valid", "paid"]) expect(isMark(name), name).toBe(false);
  });
});

it("bad rows are left out if asked, with one report of all of them", () => {
  write(
    { prompt: "a", completion: "b" },
    { prompt: "a" },
    { prompt: "c", completion: 5 },
    { prompt: "d", completion: "e" },
  );
  const report = createReport();
  expect(readSftRows({ path, badRows: "skip", report }).map(({ completion }) => completion)).toEqual(["b", "e"]);
  expect(report.faults.map(({ place }) => place!.line)).toEqual([6, 9]);
  expect(failure(() => readSftRows({ path })).message).toMatch(/^2 rows cannot be used/);
  write({ prompt: "a" }, { prompt: "b" });
  expect(failure(() => readSftRows({ path, badRows: "skip" })).message).toMatch(/^2 rows cannot be used/);
});
