/** What the encoding of a run's rows reports while it takes long, and the lengths that it knows afterwards. */
import { expect, it } from "vitest";
import { parseConfig } from "../config/index.ts";
import { encodeRows } from "./encoded-rows.ts";
import { checkRows, openRows } from "./run-rows.ts";
import { makeTokenizer } from "./run-tokenizer.ts";
import type { Progress } from "./run-types.ts";

const { config } = parseConfig("demo: {}\nsft: {}\nppo: {}\nreward: {}\nmodel: {context: 256}\n", "demo.yaml");
const rows = openRows(config);
checkRows(config, rows);
const tokenizer = makeTokenizer(config, rows.texts);

/** Reports of an encoding in which the clock goes on by `each` milliseconds per row. */
function reported(each: number): Progress[] {
  const reports: Progress[] = [];
  let time = 0;
  const now = () => {
    time += each;
    return time;
  };
  encodeRows({ config, rows, tokenizer, onEncoding: (progress) => reports.push(progress), now }).check(["sft", "ppo"]);
  return reports;
}

it("is silent for the first two seconds", () => {
  expect(reported(0.1)).toEqual([]);
});

it("then says every fifth of a second how many rows of which list are done", () => {
  const reports = reported(2);
  const { train, heldOut } = rows.sft();
  const ofSft = reports.filter(({ stage }) => stage === "sft");
  // The first call of the clock is the beginning.
  expect(ofSft[0]).toEqual({
    stage: "sft",
    unit: "row",
    step: 1000,
    steps: train.length + heldOut.length,
    message: "encoding",
    values: {},
  });
  expect(ofSft[1]!.step).toBe(1100);
  expect(reports.filter(({ stage }) => stage === "ppo").at(-1)!.steps).toBe(rows.prompts().length);
  for (const { step, steps } of reports) expect(step).toBeLessThanOrEqual(steps);
});

it("knows the lengths of what it encoded, without encoding it again, until it is handed out", () => {
  let encodings = 0;
  const counting = {
    ...tokenizer,
    encodePrompt: (...given: Parameters<typeof tokenizer.encodePrompt>) => {
      encodings++;
      return tokenizer.encodePrompt(...given);
    },
  };
  const encoded = encodeRows({ config, rows, tokenizer: counting });
  expect(encoded.lengths()).toEqual({});
  encoded.check(["sft", "reward", "ppo"]);
  const before = encodings;
  const lengths = encoded.lengths();
  const [sft, reward, ppo] = [encoded.sft(256), encoded.reward(256), encoded.ppo(256)];
  expect(encodings).toBe(before);
  expect(lengths.sft).toEqual(sft.train.map(({ tokens }) => tokens.length));
  expect(lengths.reward).toEqual(
    reward.train.map(({ chosen, rejected }) => Math.max(chosen.tokens.length, rejected.tokens.length)),
  );
  expect(lengths.ppo).toEqual(ppo.prompts.map(({ tokens }) => tokens.length));
  expect(encoded.lengths()).toEqual({});
});

it("without PPO samples to the longest answer of the pairs, and evaluates to 256 tokens, however long the context", () => {
  const { ppo: _, ...without } = config;
  const encoded = encodeRows({ config: without, rows, tokenizer });
  const { train, maxNewTokens } = encoded.reward(100_000);
  const answers = train.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  expect(maxNewTokens).toBe(Math.max(...answers.map(({ tokens, start }) => tokens.length - start)));
  expect(encodeRows({ config: without, rows, tokenizer }).reward(16).maxNewTokens).toBe(8);
  expect([encoded.evaluation(100_000).maxNewTokens, encoded.evaluation(100).maxNewTokens]).toEqual([256, 50]);
});
