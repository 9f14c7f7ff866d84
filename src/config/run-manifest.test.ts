import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { findRun } from "../inspect/places.ts";
import { checkRunFiles, otherOrigin, replaceRunFile, runIn, runOrigin, sealRun, sha256OfText } from "./run-manifest.ts";

let workspace = "";
let folder = "";

function makeRun(id: string): string {
  const made = join(workspace, id);
  mkdirSync(join(made, "tokenizer"), { recursive: true });
  writeFileSync(join(made, "config.json"), `{"name": "${id}"}\n`);
  writeFileSync(join(made, "rules.json"), `[]\n`);
  writeFileSync(join(made, "tokenizer", "tokenizer.json"), `{"of": "${id}"}\n`);
  return made;
}

beforeEach(async () => {
  workspace = temporaryFolder();
  folder = makeRun("a-1");
  await sealRun(folder, { begins: true });
});

describe("a run's own files", () => {
  it("pass as they were written, and with files that came later", async () => {
    await checkRunFiles(folder);
    rmSync(join(folder, "manifest.json"));
    rmSync(join(folder, "rules.json"));
    await sealRun(folder);
    writeFileSync(join(folder, "rules.json"), "[1]\n");
    await sealRun(folder);
    await checkRunFiles(folder);
    writeFileSync(join(folder, "rules.json"), "[2]\n");
    await sealRun(folder);
    await expect(checkRunFiles(folder)).rejects.toThrow("rules.json has other contents");
  });

  it.each<[string, () => void, RegExp]>([
    ["edited rules", () => writeFileSync(join(folder, "rules.json"), "[ ]"), /rules\.json has other contents/],
    ["rules cut short", () => writeFileSync(join(folder, "rules.json"), ""), /rules\.json has 0 bytes where 3/],
    ["no configuration", () => rmSync(join(folder, "config.json")), /config\.json is missing/],
    [
      "an edited configuration",
      () => writeFileSync(join(folder, "config.json"), `{"name": "a-2"}\n`),
      /config\.json has other contents/,
    ],
    [
      "another run's tokenizer",
      () => cpSync(join(makeRun("b-1"), "tokenizer"), join(folder, "tokenizer"), { recursive: true }),
      /tokenizer\/tokenizer\.json has other contents/,
    ],
  ])("with %s are refused, until the manifest is deleted", async (_, change, message) => {
    change();
    await expect(checkRunFiles(folder)).rejects.toThrow(message);
    await expect(checkRunFiles(folder)).rejects.toMatchObject({ hint: expect.stringMatching(/^Restore /) });
    rmSync(join(folder, "manifest.json"));
    await checkRunFiles(folder);
  });

  it("replaced by Ballast pass, and the run stays the one that it was", async () => {
    const began = runOrigin(folder);
    await replaceRunFile(folder, "config.json", "{}\n");
    await checkRunFiles(folder);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toBe("{}\n");
    expect(runOrigin(folder)).toEqual(began);
    expect(began?.config).toBe(sha256OfText(`{"name": "a-1"}\n`));
  });
});

describe("a run's folder", () => {
  it("under a different name is refused by every command that names a run", () => {
    renameSync(folder, join(workspace, "c-1"));
    expect(() => findRun("c-1", workspace)).toThrow(/c-1 holds the run a-1: it was renamed/);
  });

  it("exchanged with another is refused", async () => {
    const other = makeRun("b-1");
    await sealRun(other, { begins: true });
    renameSync(folder, `${folder}-aside`);
    renameSync(other, folder);
    renameSync(`${folder}-aside`, other);
    for (const id of ["a-1", "b-1"]) expect(() => findRun(id, workspace)).toThrow(/it was renamed, or swapped/);
  });

  it("is the run that it began as, whatever case is typed if that is one name", async () => {
    writeFileSync(join(folder, "manifest.json"), JSON.stringify({ run: "A-1", config: null, files: {} }));
    for (const platform of ["darwin", "win32"] as const) expect(runIn(folder, { platform })).toBe("A-1");
    expect(() => runIn(folder, { platform: "linux" })).toThrow("holds the run A-1");
    const old = makeRun("old-1");
    for (const [platform, id] of [
      ["darwin", "old-1"],
      ["win32", "old-1"],
      ["linux", "OLD-1"],
    ] as const)
      expect(runIn(join(workspace, "OLD-1"), { platform })).toBe(id);
    expect(runIn(old)).toBe("old-1");
  });

  it("of an earlier version has no manifest, and passes", async () => {
    const old = makeRun("old-1");
    expect(findRun("old-1", workspace).id).toBe("old-1");
    await checkRunFiles(old);
    expect(await sealRun(old)).toMatchObject({ run: "old-1", config: null });
  });
});

it("two origins are compared in what both know", () => {
  const origin = { run: "a-1", config: "x", tokenizer: "y" };
  expect(otherOrigin(origin, origin)).toBeNull();
  expect(otherOrigin({ ...origin, config: null, tokenizer: null }, origin)).toBeNull();
  expect(otherOrigin({ ...origin, run: "b-1" }, origin)).toMatch("the run b-1, not to a-1");
  expect(otherOrigin({ ...origin, config: "z" }, origin)).toMatch("other settings");
  expect(otherOrigin({ ...origin, tokenizer: "z" }, origin)).toMatch("a tokenizer that differs");
});
