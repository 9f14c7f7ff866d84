/** What the encoding of a run's rows reports while it takes long. */
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
