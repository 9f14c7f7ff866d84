/** Every algorithm in the table has a file that exports its phases. */
import { expect, it } from "vitest";
import { algorithmNames } from "../settings/algorithm-table.ts";
import { openAlgorithm } from "./open-algorithm.ts";

it.each(algorithmNames)("%s has a file with all phases", async (name) => {
  const phases = { gather: expect.any(Function), objective: expect.any(Function), update: expect.any(Function) };
  expect(await openAlgorithm(name)).toEqual({ ...phases, record: expect.any(Function) });
});

it("different names open different algorithms", async () => {
  const opened = await Promise.all(algorithmNames.map(openAlgorithm));
  expect(new Set(opened).size).toBe(algorithmNames.length);
});
