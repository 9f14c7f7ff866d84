/** Strings that a tokenizer from a file is tried on: scripts, white space, digits, punctuation, code, marks and emoji, alone and joined. */

const bases: readonly string[] = [
  "the quick brown fox jumps over the lazy dog",
  "It's what they've said: we'll, I'm, you'd, don't!",
  "HELLO World hElLo",
  "antidisestablishmentarianism internationalisation unbelievably",
  "naïve café Zürich Łódź İstanbul ΟΔΥΣΣΕΥΣ σας",
  "Привет, мир! Съешь ещё этих мягких булок",
  "日本語のテキスト 漢字かな交じり文",
  "中文文本，包括标点。",
  "한국어 문장입니다",
  "مرحبا بالعالم",
  "שלום עולם",
  "नमस्ते दुनिया",
  "สวัสดีชาวโลก",
  "🙂 👩‍👩‍👧 🇩🇪 ☃ ½ ² ①",
  "e\u0301 A\u030a o\u0308 ﬁ ﬀ Å",
  "0 1 12 123 1234 1,234.56 3.14159 -7 1e-5 ٣٤٥ 十二",
  "$5 & 10% #tag @name a_b-c d/e f\\g ~ ^ ` | <x> {y} [z] (w)",
  "foo(bar, baz[0]) => { return x?.y ?? 42; } // note",
  "def f(x):\n\treturn x ** 2\n\n\nprint(f(3))",
  "https://example.org/a?b=c&d=e#f mail@example.org",
  '{"key": ["value", null, true, 1.5]}',
  "<|endoftext|> </s> <unk> [MASK] <eos>",
  "...---===!!!???,,,;;;",
  "a.b.c. ... . , ? !",
  "line one\nline two\r\nline three\rfour",
  "tab\tseparated\tcells",
  "\u00a0no-break\u00a0\u2009thin\u2028line\u2029paragraph\u3000wide",
  "\ufeffmark \ufeff! \u0085next\u0085line",
  "\u200bzero\u200dwidth\u00ad soft",
  "▁ Ġ Ċ <0x41> ##ing </w>",
];

/** Ways in which a base occurs: at a text's edge, beside another character, repeated, and in part. */
const ways: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => ` ${text}`,
  (text) => `${text} `,
  (text) => `  ${text}  ${text}`,
  (text) => `\n\n${text}\n`,
  (text) => `x${text}x`,
  (text) => `${text}.`,
  (text) => `("${text}")`,
  (text) => text.toUpperCase(),
  (text) => [...text].reverse().join(""),
  (text) => [...text].join(" "),
  (text) => text.replaceAll(" ", ""),
];

/** 360 strings, and those of one character. */
export const importStrings: readonly string[] = [
  ...bases.flatMap((base) => ways.map((way) => way(base))),
  ...new Set(bases.flatMap((base) => [...base])),
];
