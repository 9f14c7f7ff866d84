/** Alignment and fitting of tables. */
import pc from "picocolors";
import { expect, it } from "vitest";
import { table } from "./table.ts";
import { displayWidth } from "./width.ts";

it("aligns columns by what they show, wide characters and colours included", () => {
  const green = pc.createColors(true).green("done");
  const lines = table({
    columns: [{ title: "run" }, { title: "state" }, { title: "reward", align: "right" }],
    rows: [
      ["日本-1", green, "1.25"],
      ["b", "failed", "-10.50"],
    ],
    width: 80,
  });
  expect(lines).toEqual(["run     state   reward", `日本-1  ${green}      1.25`, "b       failed  -10.50"]);
});

it("cuts the columns that may shrink, widest first, and no others", () => {
  const lines = table({
    columns: [{ title: "run" }, { title: "objective", shrinksTo: 6 }, { title: "n", align: "right" }],
    rows: [["run-with-a-long-name", "a sentence that goes on", "7"]],
    width: 40,
  });
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
  expect(lines[1]).toBe("run-with-a-long-name  a sentence tha…  7");
});

it("stays readable if nothing can shrink any more", () => {
  expect(table({ columns: [{ title: "run" }], rows: [["long-name"]], width: 3 })).toEqual(["run", "long-name"]);
});
