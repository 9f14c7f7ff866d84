/** The ends of responses: at any of several tokens, and where their text contains a stop string. */
import { expect, it } from "vitest";
import { BigramEngine } from "../../test/support/bigram-engine.ts";
import { prompts, sizes, temporaryFolder } from "../../test/support/stage.ts";
import { buildTokenizer, loadTokenizer, type Tokenizer } from "../text/index.ts";
import { generate } from "./generate.ts";
import { saveModelFolder } from "./model-folder.ts";
import { rollOut, scoredRows } from "./rollout.ts";

const words = ["a b c d e f g"];
const tokenizerWith = (stops: object) => buildTokenizer({ kind: "word", vocabularySize: 32, ...stops }, words);
const plain = tokenizerWith({});
const stopping = tokenizerWith({ stopTokens: ["c"], stopStrings: ["a b", "g"] });

const engine = new BigramEngine();
const asked = Array.from({ length: 420 }, (_, i) => prompts(words[0]!.split(" ")[i % 7]!)[0]!);

async function sample(tokenizer: Tokenizer) {
  const { id } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 5 });
  const options = {
    engine,
    tokenizer,
    model: id,
    prompts: asked,
    maxNewTokens: 12,
    temperature: 1,
    topK: 0,
    topP: 1,
    seed: 3,
  };
  return rollOut({ ...options, onProgress: () => {} });
}

it("a response is the beginning of what the policy would have said, up to the first stop", async () => {
  const [all, cut] = [await sample(plain), await sample(stopping)];
  const reasons = new Set<string>();
  for (const [b, tokens] of cut.responses_B_T.entries()) {
    // Each stops no later, and is the same until then.
    expect(all.responses_B_T[b]!.slice(0, tokens.length)).toEqual(tokens);
    expect(cut.sequences[b]!.tokens.slice(cut.sequences[b]!.start)).toEqual(tokens);
    expect(cut.samplerLogprobs_B_T[b]).toEqual(all.samplerLogprobs_B_T[b]!.slice(0, tokens.length));
    const said = tokens.map(plain.tokenText);
    // Special tokens are not text: "a <pad> b" reads "a b".
    const stop = said.findIndex((word, t) => {
      const text = plain.decode(tokens.slice(0, t + 1));
      return ["c", "<eos>"].includes(word) || text.includes("a b") || text.includes("g");
    });
    expect(tokens.length).toBe(stop === -1 ? 12 : stop + 1);
    expect(cut.stopReasons[b]).toBe(stop === -1 ? "length" : "stop");
    expect(cut.endsWithEos[b]).toBe(stop !== -1);
    // The reward reads the text before the stop.
    expect(cut.texts[b]).not.toMatch(/a b|c|g/);
    if (stop === -1) expect(cut.texts[b]).toBe(plain.decode(tokens));
    reasons.add(stop === -1 ? "length" : said[stop]!);
  }
  expect(reasons).toEqual(new Set(["b", "c", "g", "<eos>", "length"]));
  expect(scoredRows(cut).map(({ response, stopReason }) => [response, stopReason])).toEqual(
    cut.texts.map((text, b) => [text, cut.stopReasons[b]]),
  );
});

it("generate stops where the run did, by what its folder says", async () => {
  const folder = temporaryFolder();
  const { id } = await engine.createModel({ config: sizes, heads: ["lm"], seed: 5 });
  await saveModelFolder({ engine, tokenizer: stopping, model: id, folder });
  const messages = asked.map(({ row }) => row.prompt);
  const options = {
    engine,
    folder,
    prompts: messages,
    samples: 1,
    maxNewTokens: 12,
    temperature: 1,
    topK: 0,
    topP: 1,
    seed: 3,
  };
  const answers = await generate({ ...options, tokenizer: loadTokenizer(folder) });
  const rollout = await sample(stopping);
  expect(answers.map(({ response, tokens }) => [response, tokens])).toEqual(
    rollout.texts.map((text, b) => [text, rollout.responses_B_T[b]!.length]),
  );
});
