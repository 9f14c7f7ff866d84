/** Every case against Jinja2 itself, which takes most of a minute; jinja.test.ts has the kept ones. */
import { expect, it } from "vitest";
import { jinjaCases } from "../../../test/fixtures/jinja/cases.ts";
import { compared } from "../../../test/support/jinja-compared.ts";
import { renderInPython } from "../../../test/support/jinja-python.ts";
import { missingPython } from "../../../test/support/python.ts";

const missing = missingPython(["jinja2"]);
it.skipIf(missing)(`${jinjaCases.length} expressions against Jinja2 itself${missing}`, () => {
  expect(compared(jinjaCases, renderInPython(jinjaCases)).different).toEqual([]);
});
