import { readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { sealRun } from "../config/run-manifest.ts";
import { openStore } from "../store/index.ts";
import { checkDatabase } from "./database-check.ts";

function trained(checkpoints: readonly number[] = [5]) {
  const { workspace, folder, store } = workspaceWithRun({ checkpoints });
  store.close();
  const path = join(workspace, "ballast.db");
  return { folder, path, workspace, check: () => checkDatabase({ id: "tiny-1", folder, workspace }) };
}

const withoutLog = (path: string) => {
  for (const end of ["-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
};

describe("the database of a run that has saved something", () => {
  it("passes as it is", () => trained().check());

  it.each<[string, (path: string) => void, RegExp]>([
    ["gone", (path) => rmSync(path), /ballast\.db is gone, but the run in .*tiny-1 has trained/],
    ["emptied", (path) => truncateSync(path), /ballast\.db is empty/],
    [
      "of another workspace",
      (path) => {
        rmSync(path);
        openStore(path).close();
      },
      /has no run tiny-1/,
    ],
  ])("%s is told, and nothing is made in its place", (_, lose, message) => {
    const { path, workspace, check } = trained();
    withoutLog(path);
    lose(path);
    const before = readdirSync(workspace);
    expect(check).toThrow(message);
    expect(check).toThrow(expect.objectContaining({ hint: expect.stringContaining("from a copy") }));
    expect(readdirSync(workspace)).toEqual(before);
  });

  it("with another run of the name is told", async () => {
    const { folder, check } = trained();
    writeFileSync(join(folder, "config.json"), "{}");
    await sealRun(folder, { begins: true });
    expect(check).toThrow("began with other settings than the one in");
  });
});

it("a run that has saved nothing needs none", () => {
  const { path, check } = trained([]);
  rmSync(path);
  check();
});
