import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/stage.ts";
import { readFolder, removeTemporary, writeFolder } from "./atomic-folder.ts";

const write = (text: string) => async (folder: string) => {
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "model", "weights"), text);
};

describe("a folder", () => {
  it("comes back as it was written", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    await writeFolder({ folder, state: { step: 3, kl: Number.NaN }, write: write("one") });
    expect(await readFolder(folder)).toEqual({ step: 3, kl: Number.NaN });
    expect(readFileSync(join(folder, "model", "weights"), "utf8")).toBe("one");
  });

  it("that cannot be written leaves the old one, and nothing else", async () => {
    const parent = temporaryFolder();
    const folder = join(parent, "checkpoint");
    await writeFolder({ folder, state: 1, write: write("one") });
    const full = async (temporary: string) => {
      await write("two")(temporary);
      throw new Error("ENOSPC: no space left on device");
    };
    await expect(writeFolder({ folder, state: 2, write: full })).rejects.toThrow("ENOSPC");
    expect(readdirSync(parent)).toEqual(["checkpoint"]);
    expect(await readFolder(folder)).toBe(1);
  });

  it("replaces one of the same name", async () => {
    const parent = temporaryFolder();
    const folder = join(parent, "checkpoint");
    await writeFolder({ folder, state: 1, write: write("one") });
    await writeFolder({ folder, state: 2, write: write("two") });
    expect(await readFolder(folder)).toBe(2);
    expect(readdirSync(parent)).toEqual(["checkpoint"]);
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    ["a file that is gone", (folder) => rmSync(join(folder, "model", "weights")), /model\/weights is missing/],
    [
      "a shorter file",
      (folder) => writeFileSync(join(folder, "model", "weights"), "on"),
      /has 2 bytes where 3 were written/,
    ],
    ["a flipped bit", (folder) => writeFileSync(join(folder, "model", "weights"), "ond"), /other contents/],
    ["no manifest", (folder) => rmSync(join(folder, "manifest.json")), /manifest.json cannot be read/],
    ["an empty manifest", (folder) => writeFileSync(join(folder, "manifest.json"), "{}"), /does not name state.json/],
  ])("with %s is damaged", async (_, damage, message) => {
    const folder = join(temporaryFolder(), "checkpoint");
    await writeFolder({ folder, state: 1, write: write("one") });
    damage(folder);
    await expect(readFolder(folder)).rejects.toThrow(message);
  });

  it("that a crash left half written or half deleted is swept away, and only that", async () => {
    const parent = temporaryFolder();
    for (const name of [".checkpoint-000001.new", ".checkpoint-000000.old", "checkpoint-000002", ".keep"])
      mkdirSync(join(parent, name, "below"), { recursive: true });
    await removeTemporary(parent);
    expect(readdirSync(parent).sort()).toEqual([".keep", "checkpoint-000002"]);
    await removeTemporary(join(parent, "absent"));
    expect(existsSync(join(parent, "absent"))).toBe(false);
  });
});
