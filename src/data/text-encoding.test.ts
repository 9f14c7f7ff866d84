/** A line that is not UTF-8 gets a plain answer only if it is plainly Western; any other is a guess, and says so. */
import { execFileSync, spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { otherEncoding } from "./text-encoding.ts";

const hasIconv = spawnSync("iconv", ["--version"]).error === undefined;
const line = (text: string, encoding: string) =>
  execFileSync("iconv", ["-f", "UTF-8", "-t", encoding], { input: JSON.stringify({ prompt: text }) });

it("Latin-1 that is surely Western", () => {
  const { value, hint } = otherEncoding("a.jsonl", Buffer.from('{"prompt": "der Schlüssel im Café"}', "latin1"));
  expect(value).toMatch(/^as Latin-1 it reads ".*Schlüssel im/);
  expect(hint).toBe(
    "if it is Latin-1 or Windows-1252, convert it: iconv -f WINDOWS-1252 -t UTF-8 a.jsonl > a-converted.jsonl",
  );
});

it.runIf(hasIconv).each([
  ["SHIFT_JIS", "表示されたファイルを開く"],
  ["EUC-JP", "ファイルを開いてください"],
  ["EUC-KR", "파일을 열어 주세요"],
  ["WINDOWS-1251", "откройте файл, please"],
  ["GB18030", "请打开这个文件"],
  ["WINDOWS-1252", "où êtes-vous, señor"],
])("maybe %s", (encoding, text) => {
  const { value, hint } = otherEncoding("a.jsonl", line(text, encoding));
  expect(value).toContain(`maybe ${encoding}, as which it reads`);
  expect(value).toContain(text.slice(0, 6));
  expect(hint).toMatch(/^find its encoding first, /);
  expect(hint).toContain(`if it is ${encoding}, convert it: iconv -f ${encoding} -t UTF-8`);
});

it("bytes that say nothing", () => {
  const { value, hint } = otherEncoding("a.jsonl", Buffer.from([0x22, 0xff, 0xfe, 0x20, 0x81, 0x22]));
  expect(value).toMatch(/^maybe in an older encoding; as Latin-1/);
  expect(hint).toMatch(/^find its encoding first, .*iconv -f ENCODING -t UTF-8/);
});
