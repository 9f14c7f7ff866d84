/** Where responses end: by the files, by the template's turn end, by the configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../util/errors.ts";
import { buildTokenizer, builtInSpecialTokens } from "./build.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { responseEnd } from "./stops.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-stops-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>;

const chatMl =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const [eos, start, end, other] = [1, 3, 4, 5];

/** The byte tokenizer with a different family's special tokens, and EOS still named <eos>. */
function family(chatTemplate: string | null, names: readonly string[] = ["<|im_start|>", "<|im_end|>", "<|other|>"]) {
  buildTokenizer({ kind: "byte", vocabularySize: 0 }, []).save(folder);
  rmSync(join(folder, "generation_config.json"));
  const renamed = new Map(["<system>", "<user>", "<assistant>"].map((name, i) => [name, names[i]!]));
  const tokenizer = read("tokenizer.json") as {
    model: { vocab: Record<string, number> };
    added_tokens: { content: string }[];
  };
  write("tokenizer.json", {
    ...tokenizer,
    added_tokens: tokenizer.added_tokens.map((token) => ({
      ...token,
      content: renamed.get(token.content) ?? token.content,
    })),
    model: {
      ...tokenizer.model,
      vocab: Object.fromEntries(
        Object.entries(tokenizer.model.vocab).map(([name, id]) => [renamed.get(name) ?? name, id]),
      ),
    },
  });
  const { chat_template, additional_special_tokens, ...config } = read("tokenizer_config.json");
  write("tokenizer_config.json", { ...config, ...(chatTemplate !== null && { chat_template: chatTemplate }) });
}

describe("the turn end is found by rendering, and ends completions", () => {
  it.each<[string, string, string, number | null]>([
    ["ChatML", chatMl, "hi<|im_end|>", end],
    [
      "Llama 2's, with a space before it",
      "{% for m in messages %}{{ m.content }} {{ eos_token }}{% endfor %}",
      "hi <eos>",
      eos,
    ],
    ["lines of plain text", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}A:", "hi<eos>", null],
    [
      "one that opens the next turn whether asked or not",
      "{% for m in messages %}{{ '<|other|>' if m.role == 'user' else '<|im_start|>' }}{{ m.content }}{% endfor %}<|im_start|>",
      "hi<eos>",
      null,
    ],
    [
      "one that looks back at a system prompt and trims",
      "{% if messages[0].role != 'system' %}<|im_start|>You are.<|im_end|>{% endif %}{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>{% endfor %}",
      "hi<|im_end|>",
      end,
    ],
    [
      "one that refuses more than a turn",
      "{% if messages | length > 2 %}{{ raise_exception('one turn') }}{% endif %}{% for m in messages %}{{ m.content }}<|other|>{% endfor %}",
      "hi<|other|>",
      other,
    ],
    [
      "one that refuses assistants",
      "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}{% endfor %}",
      "hi<eos>",
      null,
    ],
  ])("%s", (_, template, completion, id) => {
    family(template);
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.decode(tokenizer.encodeCompletion("hi"), { special: true })).toBe(completion);
    expect(tokenizer.turnEndId).toBe(id);
    expect(tokenizer.stopIds).toEqual(id === null || id === eos ? [eos] : [eos, id]);
  });

  it("the built-in tokenizers end with only EOS, as ever", () => {
    const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);
    expect([tokenizer.stopIds, tokenizer.turnEndId]).toEqual([[eos], eos]);
    expect(tokenizer.encodeCompletion("a")).toEqual([...tokenizer.encode("a"), eos]);
  });
});

describe("the files' list of EOS ids", () => {
  it("of generation_config.json and config.json counts whole, and is kept with all other settings", () => {
    family(null);
    write("generation_config.json", {
      eos_token_id: [other, end],
      temperature: 0.6,
      stop_strings: "\n\n",
      _from_model_config: true,
    });
    write("config.json", { eos_token_id: 2, vocab_size: 262 });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.stopIds).toEqual([eos, other, end, 2]);
    expect(tokenizer.stopStrings).toEqual(["\n\n"]);
    tokenizer.save(folder);
    expect(read("generation_config.json")).toEqual({
      temperature: 0.6,
      eos_token_id: [eos, other, end, 2],
      pad_token_id: 0,
      stop_strings: ["\n\n"],
    });
    rmSync(join(folder, "config.json"));
    expect(loadTokenizer(folder).stopIds).toEqual([eos, other, end, 2]);
  });

  it("may be one number, and names nothing that the tokenizer lacks", () => {
    family(chatMl);
    write("generation_config.json", { eos_token_id: start });
    write("config.json", { eos_token_id: 50256 });
    expect(loadTokenizer(folder).stopIds).toEqual([eos, start, end]);
  });

  it("of another folder is the model's, if the tokenizer stands apart from it", () => {
    family(null);
    const model = mkdtempSync(join(tmpdir(), "ballast-model-"));
    writeFileSync(join(model, "config.json"), JSON.stringify({ eos_token_id: [eos, other] }));
    expect(loadTokenizer(folder, { model }).stopIds).toEqual([eos, other]);
    rmSync(model, { recursive: true });
  });
});

describe("stops that a configuration adds", () => {
  it("are tokens by text or id, saved with the others", () => {
    family(chatMl);
    const tokenizer = loadTokenizer(folder, { stopTokens: ["<|other|>", 10, end], stopStrings: ["END"] });
    expect([tokenizer.stopIds, tokenizer.stopStrings]).toEqual([[eos, end, other, 10], ["END"]]);
    tokenizer.save(folder);
    expect(loadTokenizer(folder).stopIds).toEqual([eos, end, other, 10]);
    expect(loadTokenizer(folder).stopStrings).toEqual(["END"]);
  });

  it.each(["<|nowhere|>", "two tokens", 262])("%j is no token", (token) => {
    family(chatMl);
    expect(() => loadTokenizer(folder, { stopTokens: [token] })).toThrow(UsageError);
    expect(() => loadTokenizer(folder, { stopTokens: [token] })).toThrow(
      `ppo.stopTokens: the tokenizer has no token ${JSON.stringify(token)}; its ids go up to 261`,
    );
  });
});

describe("the end of a response", () => {
  const tokenizer = buildTokenizer(
    { kind: "byte", vocabularySize: 0, stopStrings: ["END", "\n\n", "é"], stopTokens: ["!"] },
    [],
  );
  const ids = (text: string) => tokenizer.encode(text);

  it.each<[string, string, string, boolean]>([
    ["nothing", "all of it", "all of it", false],
    ["a string in the middle", "one END two", "one ", true],
    ["the first of two strings", "a\n\nEND", "a", true],
    ["a string of several bytes", "café au", "caf", true],
    ["a string at the very end", "now END", "now ", true],
    ["a string at once", "END", "", true],
    ["half a string", "EN", "EN", false],
    ["a stop token that is a character", "stop!", "stop", true],
  ])("at %s", (_, said, text, stopped) => {
    const all = ids(said);
    const found = responseEnd(tokenizer, all);
    expect([found.text, found.stopped]).toEqual([text, stopped]);
    // The tokens end exactly with the one that completed the stop.
    const kept = tokenizer.decode(all.slice(0, found.length));
    const stops = [...tokenizer.stopStrings, "!"];
    expect(stops.some((stop) => kept.endsWith(stop))).toBe(stopped);
    expect(stops.some((stop) => tokenizer.decode(all.slice(0, found.length - 1)).includes(stop))).toBe(false);
  });

  it("a stop string before the stop token ends it", () => {
    expect(responseEnd(tokenizer, [...ids("a END b"), eos])).toEqual({ length: 5, text: "a ", stopped: true });
    expect(responseEnd(tokenizer, [...ids("a"), eos])).toEqual({ length: 2, text: "a", stopped: true });
    expect(builtInSpecialTokens[eos]).toBe("<eos>");
  });
});
