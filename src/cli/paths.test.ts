import { join } from "node:path";
import { expect, it } from "vitest";
import { withoutCurrentDirectory } from "./paths.ts";

it("takes the current directory off what lies below it, and off nothing that only contains its name", () => {
  const here = process.cwd();
  const other = join("/elsewhere", here, "a");
  expect(withoutCurrentDirectory(`see ${here}/a, '${here}/b c', ${other}`)).toBe(`see a, 'b c', ${other}`);
});
