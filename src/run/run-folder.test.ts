/** Choosing a new run's folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRunFolder } from "./run-folder.ts";

let workspace = "";
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), "ballast-workspace-"));
});
afterEach(() => rmSync(workspace, { recursive: true }));

describe("createRunFolder", () => {
  it("counts on from the highest number in use, of this name only", () => {
    expect(createRunFolder({ workspace, name: "demo" }).id).toBe("demo-1");
    for (const id of ["demo-4", "demo-x", "demo-extra-9", "other-7"]) mkdirSync(join(workspace, id));
    expect(createRunFolder({ workspace, name: "demo" }).id).toBe("demo-5");
    expect(createRunFolder({ workspace, name: "demo-extra" }).id).toBe("demo-extra-10");
  });

  it("never gives again what the database remembers of a deleted folder", () => {
    expect(createRunFolder({ workspace, name: "demo", taken: ["demo-2", "demo-3"] }).id).toBe("demo-4");
  });

  it("counts names that a file system takes for one as one", () => {
    mkdirSync(join(workspace, "Demo-4"));
    expect(createRunFolder({ workspace, name: "demo", platform: "linux" }).id).toBe("demo-1");
    for (const [platform, id] of [
      ["darwin", "demo-5"],
      ["win32", "demo-6"],
    ] as const)
      expect(createRunFolder({ workspace, name: "demo", platform }).id).toBe(id);
  });

  it("refuses a name that Windows keeps for a device, there only", () => {
    expect(() => createRunFolder({ workspace, name: "aux.v2", platform: "win32" })).toThrow(
      "a run cannot have the name aux.v2: Windows keeps aux for a device",
    );
    for (const platform of ["linux", "darwin"] as const)
      expect(createRunFolder({ workspace, name: `aux.${platform}`, platform }).id).toBe(`aux.${platform}-1`);
  });

  it("makes the workspace", () => {
    const deep = join(workspace, "a", "b");
    expect(createRunFolder({ workspace: deep, name: "r" }).folder).toBe(join(deep, "r-1"));
  });

  it("says what to do if the workspace cannot be made", () => {
    writeFileSync(join(workspace, "file"), "");
    expect(() => createRunFolder({ workspace: join(workspace, "file"), name: "r" })).toThrow(
      "cannot make the folder of runs",
    );
  });
});
