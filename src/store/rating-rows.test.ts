import { join } from "node:path";
import Database from "libsql";
import { expect, it } from "vitest";
import {
  closedAfterwards,
  runRecord,
  temporaryFolder,
  temporaryStore,
  turnIntoVersion3,
} from "../../test/support/store.ts";
import { openStore } from "./index.ts";

const rating = { kind: "rating", prompt: "say\0red", response: "red \ud800", score: 4, rater: "ann" } as const;
const preference = { kind: "preference", prompt: "say red", chosen: "red", rejected: "blue", rater: "bob" } as const;

it("keeps ratings and preferences of a run, in order", () => {
  const store = temporaryStore({ now: () => 17 });
  store.createRun(runRecord("a"));
  store.createRun(runRecord("b"));
  store.addRating("a", rating);
  store.addRating("b", preference);
  store.addRating("a", preference);
  expect(store.ratings("a")).toEqual([
    { ...rating, id: 1, runId: "a", at: 17, operator: null },
    { ...preference, id: 3, runId: "a", at: 17, operator: null },
  ]);
  expect(store.ratings("b")).toHaveLength(1);
  expect(() => store.addRating("c", rating)).toThrow("no run c");
});

it("a database of version 2 keeps its runs and takes ratings", () => {
  const path = join(temporaryFolder(), "ballast.db");
  const made = openStore(path);
  made.createRun(runRecord("a"));
  made.close();
  turnIntoVersion3(path);
  const raw = new Database(path);
  raw.exec("DROP TABLE ratings; PRAGMA user_version = 2");
  raw.close();
  expect(closedAfterwards(openStore(path, { readonly: true })).ratings("a")).toEqual([]);
  const store = closedAfterwards(openStore(path));
  expect(store.run("a")).toMatchObject({ id: "a", seed: 7 });
  store.addRating("a", rating);
  expect(store.ratings("a")).toHaveLength(1);
});
