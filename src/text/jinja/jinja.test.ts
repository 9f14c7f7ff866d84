import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type JinjaCase, keptCases } from "../../../test/fixtures/jinja/cases.ts";
import { compared, renderOrNull } from "../../../test/support/jinja-compared.ts";
import { renderInPython } from "../../../test/support/jinja-python.ts";
import { missingPython } from "../../../test/support/python.ts";
import { realChats } from "../../../test/support/real-tokenizers.ts";
import { parseJinja } from "./jinja.ts";

const render = (template: string, variables: Record<string, unknown> = {}) => parseJinja(template).render(variables);

const kept = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/jinja/${name}.json`, import.meta.url), "utf8"));

describe("as Jinja2 renders, or not at all", () => {
  it("operators, filters, tests, methods, statements and white space", () => {
    const { different, refused } = compared(keptCases, kept("expressions"));
    expect(different).toEqual([]);
    expect(refused).toBeLessThan(0.05);
  });

  it("the templates of Llama 3.1, Qwen3, Gemma 3 and DeepSeek-V3, of which nothing is refused", () => {
    const { different, refused } = compared(realChats(), kept("chats"));
    expect(different).toEqual([]);
    expect(refused).toBe(0);
  });

  const missing = missingPython(["jinja2"]);
  it.skipIf(missing)(
    `the kept renders are Jinja2's${missing}`,
    () => {
      const renders = renderInPython([...keptCases, ...realChats()]);
      expect([...kept("expressions"), ...kept("chats")]).toEqual(renders);
    },
    180_000,
  );
});

describe("by name", () => {
  it.each([
    ["{{ 'a'.strip('a') + 'b'.lstrip('\\n') }}", "b"],
    ["{{ '\\n  x'.lstrip('\\n') }}", "  x"],
    ["{{ 'x..'.rstrip('.') }}", "x"],
    ["{{ '1' == 1 }}", "False"],
    ["{{ [] == [] }}{{ {'a': [1]} == {'a': [1]} }}", "TrueTrue"],
    ["{{ -7 % 3 }} {{ -7 // 2 }}", "2 -4"],
    ["{{ none|trim }}", "None"],
    ["{{ 1 ~ 2 + 3 }}", null],
    ["{{ 1 < 3 < 2 }}", "False"],
    ["{{ a.b.c }}", null],
    ["{{ a.b is defined }}", null],
    ["{{ a is defined }}", "False"],
    ["{{ 'text' + {} }}", null],
  ])("%s", (template, expected) => {
    expect(renderOrNull({ template, variables: {} })).toBe(expected);
  });

  it.each([
    ["{{ 'a' + {} }}", /unsupported operand types for \+: 'str' and 'dict'/],
    ["{{ a.b }}", /'a' is undefined/],
    ["{{ m.b.c }}", /'dict object' has no attribute 'b'/],
    ["{{ 'a'|wordwrap }}", /the filter "wordwrap" is not supported/],
    ["{{ 'a'|nonsense }}", /line 1: there is no filter "nonsense"/],
    ["\n{% include 'x' %}", /{% include %} is not supported/],
    ["{{ 'a'.zfill(3) }}", /str.zfill is not supported/],
    ["{{ raise_exception('user first') }}", /^user first$/],
    ["a\n{{ 1 + }}", /line 2: an expression is expected/],
  ])("refuses %s and says why", (template, message) => {
    expect(() => render(template, { m: { a: 1 } })).toThrow(message);
  });

  it("leaves what is refused alone until it is reached", () => {
    expect(render("{% if tools %}{{ tools|wordwrap }}{% endif %}x", { tools: null })).toBe("x");
  });
});

describe("a template that goes on and on", () => {
  // All finite: a million turns, half a million calls, a text of two million characters.
  const many = "{% for i in range(1000) %}{% for j in range(1000) %}{% set x = i + j %}{% endfor %}{% endfor %}";
  it.each([
    [many, "loops in loops"],
    ["{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(18) }}", "macros in macros"],
    [
      "{% set ns = namespace(x='abcdefghij') %}{% for i in range(18) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      "texts",
    ],
  ])("is an error once its work is used up (%#)", (template) => {
    expect(() => parseJinja(template, { work: 5000 }).render({})).toThrow("does not come to an end");
  });

  it("has work for a long conversation", () => {
    const messages = Array.from({ length: 500 }, () => ({ role: "user", content: "word ".repeat(400) }));
    const [{ template }] = realChats().slice(-1) as [JinjaCase];
    expect(render(template, { messages }).length).toBeGreaterThan(1e6);
  });
});
