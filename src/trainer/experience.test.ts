/** Where the reward of a step is placed: at the token that completes its text. */
import { expect, it } from "vitest";
import { rewardsOf, tokenOf } from "./experience.ts";
import type { OnlineRun } from "./online-run.ts";

type Given = Parameters<typeof rewardsOf>;

const pieces = ["=", " 2", " =", " 15", ""];
const decode = (ids: readonly number[]) => ids.map((id) => pieces[id]!).join("");
/** As tokenizers of bytes do: part of a character is one replacement character, or one for each byte. */
const decoders = {
  once: (ids: readonly number[]) => Buffer.from(ids).toString("utf8"),
  "for each byte": (ids: readonly number[]) =>
    Buffer.from(ids)
      .toString("latin1")
      .replace(/[\xc2-\xf4][\x80-\xbf]*$|[\xc2-\xf4][\x80-\xbf]+/g, (run) => {
        const text = Buffer.from(run, "latin1").toString("utf8");
        return text.includes("\ufffd") ? "\ufffd".repeat(run.length) : text;
      }),
};

/** The obvious search, from the first token on. */
function slowTokenOf(text: string, tokens: readonly number[], toText: (ids: readonly number[]) => string): number {
  const found = tokens.findIndex((_, t) => toText(tokens.slice(0, t + 1)).startsWith(text));
  return found < 0 ? tokens.length - 1 : found;
}

it("a step's token equals the obvious search from the first token on", () => {
  const tokens = [0, 1, 2, 3, 4, 0, 1, 4];
  for (let count = 0; count <= tokens.length; count++) {
    const given = tokens.slice(0, count);
    for (let end = 0; end <= decode(tokens).length; end++) {
      const text = decode(tokens).slice(0, end);
      expect(tokenOf(text, given, { decode }), `${text} of ${count}`).toBe(slowTokenOf(text, given, decode));
    }
  }
});

it.each(Object.entries(decoders))(
  "in text of several bytes a character, where a part of one decodes to something else %s",
  (_, toText) => {
    const text = "ab…c é=5 €";
    const tokens = [...Buffer.from(text)];
    expect(toText(tokens)).toBe(text);
    for (let end = 0; end <= text.length; end++) {
      const bytes = Buffer.from(text.slice(0, end)).length;
      expect(tokenOf(text.slice(0, end), tokens, { decode: toText }), `${end}`).toBe(Math.max(0, bytes - 1));
    }
  },
);

it("a step's reward stands at its token, and the rest of the clipped score at the last", () => {
  const run = { context: { tokenizer: { decode } } } as unknown as OnlineRun;
  const rows = [
    [0, 1, 2, 3, 4],
    [0, 1],
  ];
  const zeros = rows.map((row) => row.map(() => 0));
  const passes = { logprobs: zeros, refLogprobs: zeros } as unknown as Given[1];
  const rollout = { responses_B_T: rows, texts: rows.map(decode), endsWithEos: [true, false] };
  const settings = { kl: { in: "reward" }, scoreClip: 4, missingEosPenalty: 1 };
  const steps = [
    [
      { end: 3, reward: 2 },
      { end: 8, reward: 3 },
    ],
    [],
  ];
  const scored = { score: [5, 0.5], steps };
  const rewards = rewardsOf(run, passes, { rollout, scored, settings, klCoef: 0.1 } as unknown as Given[2]);
  expect(rewards).toEqual([
    [0, 2, 0, 3, -1],
    [0, -0.5],
  ]);
});
