/** Every setting of rows changes what a run trains on: several files, bad rows, pairs from labels, turns, packing. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../settings/config-schema.ts";
import { fingerprintData } from "./data-record.ts";
import { prepareRows } from "./encoded-rows.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-row-settings-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, ...rows: object[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}
const prepare = (config: ConfigInput) =>
  prepareRows(configSchema.parse({ model: { context: 64 }, tokenizer: { kind: "byte" }, ...config }));
const sft = (settings: object) => prepare({ sft: { evaluationShare: 0, ...settings } as ConfigInput["sft"] });

const one = file("one.jsonl", { prompt: "a", completion: "b" });
const two = file("two.jsonl", { prompt: "c", completion: "d" }, { prompt: "e" }, { prompt: "f", completion: "g" });

it("path: a list, and a pattern; the record covers all of them", () => {
  const other = file("other-1.jsonl", { prompt: "c", completion: "d" });
  const train = (path: string | string[]) => sft({ data: { path } }).encoded.sft(64).train.length;
  expect([train(one), train([one, other]), train(join(folder, "o*.jsonl"))]).toEqual([1, 2, 2]);
  const config = configSchema.parse({ sft: { data: { path: join(folder, "o*.jsonl") } } });
  const before = fingerprintData(config);
  writeFileSync(other, '{"prompt": "c", "completion": "changed"}\n');
  expect(fingerprintData(config)["sft.data"]!.rows).toBe(2);
  expect(fingerprintData(config)).not.toEqual(before);
});

it("badRows: stops, or leaves them out with one report of all lists", () => {
  expect(() => sft({ data: { path: two } })).toThrow(/two\.jsonl:2: the field "completion" is missing/);
  const pairs = file(
    "pairs.jsonl",
    { prompt: "a", chosen: "b", rejected: "c" },
    { prompt: "a", chosen: 5, rejected: "c" },
  );
  const { rows, encoded } = prepare({
    sft: { data: { path: two, badRows: "skip" }, evaluationShare: 0 },
    reward: { data: { path: pairs, badRows: "skip" }, evaluationShare: 0 },
  });
  expect([encoded.sft(64).train.length, encoded.reward(64).train.length]).toEqual([2, 1]);
  expect(rows.leftOut()).toMatch(
    /^2 rows left out because they cannot be used .*two\.jsonl:2: .*; .*pairs\.jsonl:2: "chosen" is a number/,
  );
});

it("badRows: a row that only the encoding finds is left out too", () => {
  const template =
    "{% if messages[0].content == 'e' %}{{ raise_exception('no e') }}{% endif %}<user>{{ messages[0].content }}<assistant>";
  const path = file("refused.jsonl", { prompt: "a", completion: "b" }, { prompt: "e", completion: "f" });
  const settings = (badRows: "error" | "skip") => ({
    tokenizer: { kind: "byte" as const, chatTemplate: template },
    sft: { data: { path, badRows }, evaluationShare: 0 },
  });
  expect(() => prepare(settings("error"))).toThrow(/refused\.jsonl:2: .*no e/);
  const { rows, encoded } = prepare(settings("skip"));
  expect(encoded.sft(64).train).toHaveLength(1);
  expect(rows.leftOut()).toMatch(/^1 row left out .*refused\.jsonl:2: the chat template refused/);
});

it("pairsFrom: labels become pairs", () => {
  const path = file(
    "kto.jsonl",
    { prompt: "a", completion: "b", label: true },
    { prompt: "a", completion: "c", label: false },
  );
  const reward = (data: object) => prepare({ reward: { data: { path, ...data }, evaluationShare: 0 } });
  expect(() => reward({})).toThrow(/one answer with a "label"/);
  expect(reward({ pairsFrom: "label" }).encoded.reward(64).train).toHaveLength(1);
});

it("turns: every answer is trained on, or the last", () => {
  const message = (role: string, content: string) => ({ role, content });
  const messages = [message("user", "a"), message("assistant", "bc"), message("user", "d"), message("assistant", "e")];
  const path = file("chat.jsonl", { messages });
  const trained = (turns: string) =>
    sft({ data: { path }, turns })
      .encoded.sft(64)
      .train.map(({ tokens, start, mask }) => mask ?? tokens.slice(start).map(() => 1));
  expect(
    trained("last")
      .flat()
      .reduce((a, b) => a + b, 0),
  ).toBe(2);
  expect(
    trained("all")
      .flat()
      .reduce((a, b) => a + b, 0),
  ).toBe(5);
});

it("packing: plain texts on their own, or in one stream", () => {
  const path = file("texts.jsonl", { text: "abcdef" }, { text: "gh" }, { text: "ij" });
  const lengths = (packing: string) =>
    sft({ data: { path }, packing })
      .encoded.sft(64)
      .train.map(({ tokens }) => tokens.length);
  expect(lengths("none")).toEqual([7, 3, 3]);
  expect(lengths("concat")).toEqual([13]);
});
