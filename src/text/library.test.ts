import { expect, it } from "vitest";
import { DataError } from "../util/errors.ts";
import type { TokenizerFiles, TokenizerJson } from "./files.ts";
import { openLibrary } from "./library.ts";

const files = (parts: Partial<TokenizerJson>): TokenizerFiles => ({
  tokenizer: {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
    ...parts,
  },
  config: {},
});

// Backtracks with the cube of the length: about ten seconds.
const slow = { Regex: "a*a*b" };
const text = "a".repeat(3000);

it.each([
  ["pre-tokenizer", { pre_tokenizer: { type: "Split", pattern: slow, behavior: "Isolated", invert: false } }],
  ["normalizer", { normalizer: { type: "Sequence", normalizers: [{ type: "Replace", pattern: slow, content: "b" }] } }],
])("ends the encoding of a text by a slow pattern of the %s", (_, parts) => {
  const library = openLibrary(files(parts), "in the test", { timeLimit: 20 });
  expect(library.encode("ab")).toEqual("normalizer" in parts ? [1] : [0, 1]);
  expect(() => library.encode(text)).toThrow(DataError);
  expect(() => library.encode(text)).toThrow("the tokenizer in the test worked on one text for more than 0.02 s");
});

it("ends decoding by a slow pattern of the decoder", () => {
  const decoder = { type: "Sequence", decoders: [{ type: "Fuse" }, { type: "Replace", pattern: slow, content: "" }] };
  const library = openLibrary(files({ decoder }), "in the test", { timeLimit: 20 });
  const ids = library.encode(text);
  expect(ids).toHaveLength(3000);
  expect(() => library.decode(ids, { cleanUp: false, special: true })).toThrow(DataError);
});
