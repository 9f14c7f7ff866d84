/** A conversation with a tiny model: the whole text as one call samples it, turns of the template, and the end of the context. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { tinyModel } from "../../test/support/tiny-model.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open-engine.ts";
import { loadTokenizer } from "../text/index.ts";
import { type Conversant, openConversant } from "./conversant.ts";
import { generate } from "./generate.ts";

const folder = join(temporaryFolder(), "tiny");
let engine: Engine;
let conversant: Conversant;

beforeAll(async () => {
  await tinyModel(folder, { context: 64 });
  engine = await openEngine({ threads: 1 });
  conversant = await openConversant(engine, folder, loadTokenizer(folder));
});
afterAll(() => engine.close());

const user = (content: string) => ({ role: "user", content }) as const;

it("greedy text in pieces is that of one call, and grows", async () => {
  const texts: string[] = [];
  const options = { temperature: 0, seed: 1, maxNewTokens: 40 };
  const reply = await conversant.reply({
    ...options,
    messages: [user("say hello")],
    onText: (text) => texts.push(text),
  });
  const [whole] = await generate({
    ...{ engine, folder, tokenizer: loadTokenizer(folder), prompts: [[user("say hello")]], samples: 1 },
    ...{ ...options, topK: 0, topP: 1 },
  });
  expect(reply).toMatchObject({ text: whole!.response, tokens: whole!.tokens, stopReason: whole!.stopReason });
  expect(texts.length).toBeGreaterThan(1);
  for (const [i, text] of texts.entries()) expect(text.startsWith(texts[i - 1] ?? "")).toBe(true);
  expect(texts.at(-1)).toBe(reply.text);
});

it("the same seed gives the same answer, another a different one, and each piece draws anew", async () => {
  const said = async (seed: number) =>
    (await conversant.reply({ messages: [user("name a colour")], temperature: 1, seed, maxNewTokens: 32 })).text;
  expect(await said(1)).toBe(await said(1));
  expect(new Set([await said(1), await said(2), await said(3)]).size).toBeGreaterThan(1);
});

it("reads the whole conversation by the template, and stops when nobody waits", async () => {
  const turn = [user("say hello"), { role: "assistant", content: "hello" }, user("name a colour")] as const;
  const tokens = loadTokenizer(folder).encodePrompt(turn).length;
  const options = { temperature: 0, seed: 1, maxNewTokens: 24 };
  expect(await conversant.reply({ ...options, messages: turn })).toMatchObject({ promptTokens: tokens });
  const stopped = await conversant.reply({ ...options, messages: turn, stopped: () => true });
  expect(stopped.tokens).toBeLessThan(24);
  expect(stopped.stopReason).not.toBe("length");
});

it("says when the conversation fills the context", async () => {
  const long = Array.from({ length: 40 }, () => "what is").join(" ");
  await expect(conversant.reply({ messages: [user(long)], temperature: 0, seed: 1, maxNewTokens: 8 })).rejects.toThrow(
    /takes \d+ tokens, and the model reads 64/,
  );
});
