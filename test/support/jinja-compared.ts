/** Ballast's rendering of templates beside Jinja2's. */
import { expect } from "vitest";
import { parseJinja } from "../../src/text/jinja/jinja.ts";
import type { JinjaCase } from "../fixtures/jinja/cases.ts";

/** Cases that are rendered differently from Jinja2, and the share that Ballast alone refuses. */
export function compared(cases: readonly JinjaCase[], expected: readonly (string | null)[]) {
  const rendered = cases.map((one, i) => ({ template: one.template, ballast: renderOrNull(one), jinja2: expected[i] }));
  expect(expected).toHaveLength(cases.length);
  return {
    different: rendered.filter(({ ballast, jinja2 }) => ballast !== null && ballast !== jinja2),
    refused: rendered.filter(({ ballast, jinja2 }) => ballast === null && jinja2 !== null).length / cases.length,
  };
}

/** Ballast's rendering; null if it refuses. */
export function renderOrNull({ template, variables }: JinjaCase): string | null {
  try {
    return parseJinja(template).render(variables);
  } catch {
    return null;
  }
}
