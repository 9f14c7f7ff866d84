/** Choosing a run's folder, and finding the one that is meant. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findRun } from "../inspect/places.ts";
import { BallastError, UsageError } from "../util/errors.ts";
import { naming, resumeCommand, runArgument, selfName, showCommand, workspaceOption } from "./find-run.ts";

let workspace = "";
beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), "ballast-workspace-"));
});
afterEach(() => rmSync(workspace, { recursive: true }));

describe("findRun", () => {
  it("takes an id or a path", () => {
    mkdirSync(join(workspace, "demo-1"));
    writeFileSync(join(workspace, "demo-1", "config.json"), "{}");
    const place = { id: "demo-1", folder: join(workspace, "demo-1"), workspace };
    expect(findRun("demo-1", workspace)).toEqual(place);
    expect(findRun(join(workspace, "demo-1"), "runs")).toEqual(place);
  });

  it("does not take a model's folder for a run, and names the runs there are", () => {
    for (const id of ["demo-1", "demo-2"]) mkdirSync(join(workspace, id));
    writeFileSync(join(workspace, "demo-1", "config.json"), "{}");
    writeFileSync(join(workspace, "demo-2", "config.json"), "{}");
    writeFileSync(join(workspace, "demo-2", "model.safetensors"), "");
    expect(() => findRun("demo-2", workspace)).toThrow(UsageError);
    try {
      findRun("demo-9", workspace);
    } catch (error) {
      expect((error as UsageError).hint).toContain("demo-1");
    }
  });
});

it("names a run by its id in the default workspace, by its folder elsewhere", () => {
  expect(runArgument({ id: "a-1", workspace: resolve("runs"), folder: resolve("runs/a-1") })).toBe("a-1");
  expect(runArgument({ id: "a-1", workspace: resolve("out"), folder: resolve("out/a-1") })).toBe(join("out", "a-1"));
});

it("quotes a path for the shell if a character needs it", () => {
  const named = (folder: string) => runArgument({ id: "a-1", workspace: "/w", folder });
  expect(named("/w/my runs/a-1")).toBe("'/w/my runs/a-1'");
  expect(named("/w/it's/a-1")).toBe("'/w/it'\\''s/a-1'");
  expect(named("/w/$HOME")).toBe("'/w/$HOME'");
});

it("names a workspace that is not ./runs to the commands that need it", () => {
  expect(workspaceOption("runs")).toBe("");
  expect(workspaceOption(resolve("runs"))).toBe("");
  expect(workspaceOption("/w/my runs")).toBe(" --workspace '/w/my runs'");
  expect(showCommand(3, resolve("out"))).toBe(`${selfName()} incidents show 3 --workspace out`);
});

it("puts the run that is meant into a hint", () => {
  const place = { id: "a-1", workspace: "/w", folder: "/w/$& a-1" };
  const { hint } = naming(new BallastError("no", "Mend RUNS, then: ballast resume RUN --wait"), place);
  expect(hint).toBe("Mend RUNS, then: ballast resume '/w/$& a-1' --wait");
  expect(resumeCommand(place)).toBe(`${selfName()} resume '/w/$& a-1'`);
  expect(naming("thrown", place)).toBe("thrown");
});

it("calls itself on Windows as its shells do", () => {
  const on = {
    platform: "win32",
    cwd: "C:\\work",
    searchPath: "C:\\Windows;c:\\users\\ada\\AppData\\Roaming\\npm",
  } as const;
  const npm = "C:\\Users\\ada\\AppData\\Roaming\\npm";
  expect(selfName({ ...on, script: "C:\\work\\bin\\ballast" })).toBe("node .\\bin\\ballast");
  expect(selfName({ ...on, script: "D:\\my tools\\bin\\ballast" })).toBe('node "D:\\my tools\\bin\\ballast"');
  expect(selfName({ ...on, script: "C:\\work\\node_modules\\ballast\\bin\\ballast" })).toBe("npx ballast");
  expect(selfName({ ...on, script: `${npm}\\node_modules\\ballast\\bin\\ballast` })).toBe("ballast");
});

it("calls itself as the user did", () => {
  expect(selfName({ script: resolve("bin/ballast") })).toBe("./bin/ballast");
  expect(selfName({ script: resolve("my tools/bin/ballast") })).toBe("'./my tools/bin/ballast'");
  expect(selfName({ script: resolve("node_modules/.bin/ballast") })).toBe("npx ballast");
  expect(selfName({ script: resolve("../node_modules/.bin/ballast") })).toBe("npx ballast");
  expect(selfName({ script: "/usr/local/bin/ballast", searchPath: "/usr/bin:/usr/local/bin" })).toBe("ballast");
  expect(selfName({ script: "/elsewhere/bin/ballast", searchPath: "/usr/bin" })).toBe("/elsewhere/bin/ballast");
  // npx finds what is installed here or above, and looks for the rest in the registry.
  expect(selfName({ script: "/elsewhere/node_modules/.bin/ballast" })).toBe("/elsewhere/node_modules/.bin/ballast");
  expect(selfName({ script: `${resolve()}-2/node_modules/.bin/ballast` })).toBe(
    `${resolve()}-2/node_modules/.bin/ballast`,
  );
});
