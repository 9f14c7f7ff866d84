/** Nothing that a model writes acts in HTML, Markdown or Slack. */

import { expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { html, markdown, slack, visible } from "./text.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
const UNSEEN = /[\x00-\x08\x0b-\x1f\u202e\u2028]/;

it.each([
  ["</script><img src=x onerror=alert(1)>", "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"],
  [`" onload='x'`, "&quot; onload=&#39;x&#39;"],
  ["a & &amp;", "a &amp; &amp;amp;"],
  ["\u202egnirts \x1b[31m\0 \ud800 \u200b\u{e0041}", "\\u202egnirts \\u001b[31m\\u0000 \\ud800 \\u200b\\u{e0041}"],
  ["two\nlines\r", "two\nlines\\u000d"],
])("html of %j", (text, expected) => {
  expect(html(text)).toBe(expected);
});

it.each([
  ["**bold** _it_ `code`", "\\*\\*bold\\*\\* \\_it\\_ \\`code\\`"],
  ["[x](javascript:alert(1)) ![i](http://e.com)", "\\[x\\](javascript:alert(1)) \\!\\[i\\](http\\://e.com)"],
  ["<script>&lt;", "\\<script\\>&amp;lt;"],
  ["a | b\n# c", "a \\| b \\# c"],
  ["- item", "\\- item"],
  ["1. item", "1\\. item"],
  ["www.example.com a@b.c", "www\\.example.com a\\@b.c"],
  ["approx KL 0.31 > 0.15 -> x0.7", "approx KL 0.31 \\> 0.15 -\\> x0.7"],
  ["\u2028# x\u202e", "\\\\u2028\\# x\\\\u202e"],
])("markdown of %j", (text, expected) => {
  expect(markdown(text)).toBe(expected);
});

it("slack text mentions nobody and links nowhere", () => {
  expect(slack("<!channel> <http://x|y> & <@U1>")).toBe("&lt;!channel&gt; &lt;http://x|y&gt; &amp; &lt;@U1&gt;");
});

it("whatever the text, html has no tag and no quote, markdown one line without a bare bracket, both nothing unseen", () => {
  const any = fc.string({
    unit: fc.oneof(
      fc.constantFrom(..."<>&\"'\\`*_[]|#\n\r\u202e\u2028\0\x1b"),
      fc.string({ unit: "binary", maxLength: 1 }),
    ),
  });
  fc.assert(
    fc.property(any, (text) => {
      expect(html(text)).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
      expect(markdown(text)).not.toMatch(/\n|(?<!\\)(?:\\\\)*[<[|`]/);
      for (const out of [html(text), markdown(text), visible(text)]) expect(out).not.toMatch(UNSEEN);
    }),
  );
});
