/** Which columns become pictures. */
import { expect, it } from "vitest";
import { scaleOf } from "../../components/intervals.tsx";
import { intervalIn, isNumeric, pictureOf, picturesOf } from "./pictures.ts";

it("reads a mean with its interval in the ways tables write it", () => {
  expect(intervalIn("83.8±3.2")).toMatchObject({ mean: 83.8, low: 80.6 });
  expect(intervalIn("+1.5±0.5")).toEqual({ mean: 1.5, low: 1, high: 2 });
  expect(intervalIn("−1.5 ± 0.5")).toEqual({ mean: -1.5, low: -2, high: -1 });
  expect(intervalIn("83.8% [80.6%, 87.0%]")).toEqual({ mean: 83.8, low: 80.6, high: 87 });
  for (const text of ["83.8", "3/3", "1 1 1", "kl_hard", "", "±2"]) expect(intervalIn(text)).toBeNull();
});

it("draws the columns that have intervals in most rows, and leaves out rows without any", () => {
  const picture = pictureOf({
    columns: ["fault", "caught", "healthy", "without"],
    rows: [
      ["a", "3/3", "88±3", "0±2"],
      ["b", "3/3", "88±3", "-"],
      ["c", "0/3", "-", "1±1"],
      ["d", "0/3", "80±1", "1±1"],
      ["e", "0/3", "-", "-"],
    ],
  })!;
  expect(picture.series.map(({ title }) => title)).toEqual(["healthy", "without"]);
  expect(picture.rows.map(({ label, items }) => [label, items.length])).toEqual([
    ["a", 2],
    ["b", 1],
    ["c", 1],
    ["d", 2],
  ]);
  expect(pictureOf({ columns: ["a", "b"], rows: [["x", "1"]] })).toBeNull();
});

it("columns of different units have a scale each, and a table may have no picture", () => {
  const table = {
    columns: ["arm", "seeds", "gold", "KL"],
    rows: [
      ["a", "8", "88±3", "0.2 [0.1, 0.3]"],
      ["b", "8", "80±3", "0.3 [0.1, 0.4]"],
    ],
  };
  const titles = (picture?: "apart" | "none") =>
    picturesOf({ ...table, picture }).map(({ series }) => series.map(({ title }) => title));
  expect(titles()).toEqual([["gold", "KL"]]);
  expect(titles("apart")).toEqual([["gold"], ["KL"]]);
  expect(titles("none")).toEqual([]);
});

it("numbers with units, shares and lists of numbers stand to the right; words do not", () => {
  const of = (...cells: string[]) =>
    isNumeric(
      cells.map((cell) => ["", cell]),
      1,
    );
  expect(of("3/3", "-", "12 4 8", "88.8±2.8", "45%")).toBe(true);
  expect(of("kl_hard 2", "3")).toBe(false);
  expect(of("-", "")).toBe(false);
});

it("a scale has room for all intervals, and round values", () => {
  const { from, to, grid } = scaleOf([{ low: -2.3, high: 93 }]);
  expect(from).toBeLessThan(-2.3);
  expect(to).toBeGreaterThan(93);
  expect(grid).toEqual([0, 25, 50, 75]);
  expect(scaleOf([{ low: 0.5, high: 0.5 }]).grid).not.toEqual([]);
});
