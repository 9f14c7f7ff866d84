/** Renders templates with Python's Jinja2, as transformers does. */
import { readFileSync } from "node:fs";
import type { JinjaCase } from "../fixtures/jinja/cases.ts";
import { runPython } from "./python.ts";

/** The renders in the cases' order; null for those that Jinja2 refuses. */
export function renderInPython(cases: readonly JinjaCase[]): (string | null)[] {
  const script = readFileSync(new URL("../fixtures/jinja/render.py", import.meta.url), "utf8");
  const renders = runPython(script, cases) as { readonly text?: string }[];
  // Some texts name an object by its address in memory.
  return renders.map(({ text }) => text?.replace(/ at 0x[0-9a-f]+>/, " at 0x0>") ?? null);
}
