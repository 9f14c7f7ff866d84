/** What is deleted, what is refused, and the messages. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/support/store.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { lockRun } from "../../../run/lock.ts";
import { removeRun } from "../../../run/remove-run.ts";
import { openStore } from "../../../store/index.ts";
import { deleteRun } from "./index.ts";

function place(id = "tiny-1") {
  const made = workspaceWithRun({ id, checkpoints: [5] });
  made.store.close();
  const rowOf = () => {
    const store = openStore(join(made.workspace, "ballast.db"), { readonly: true });
    const row = store.run(id);
    store.close();
    return row;
  };
  const terminal = keptTerminal();
  const remove = (options: Partial<Parameters<typeof deleteRun>[0]> = {}) =>
    deleteRun({ run: id, workspace: made.workspace, terminal, ask: null, ...options });
  return { ...made, terminal, remove, rowOf };
}

it("deletes rows and folder, and leaves nothing else in the workspace", async () => {
  const { workspace, folder, remove, rowOf, terminal } = place();
  expect(await remove({ yes: true })).toBe(0);
  expect(existsSync(folder)).toBe(false);
  expect(rowOf()).toBeUndefined();
  expect(readdirSync(workspace).filter((name) => !name.startsWith("ballast.db"))).toEqual([]);
  expect(terminal.notes).toEqual(["tiny-1 is deleted"]);
});

it("asks, and deletes nothing without a yes or if nobody can answer", async () => {
  const { folder, remove, rowOf } = place();
  for (const answer of ["", "n", "no", "what"]) {
    expect(await remove({ ask: async () => answer })).toBe(1);
    expect(existsSync(folder) && rowOf() !== undefined).toBe(true);
  }
  await expect(remove()).rejects.toMatchObject({ hint: "Add --yes." });
  expect(await remove({ run: folder, ask: async () => " Y " })).toBe(0);
  expect(existsSync(folder)).toBe(false);
});

it("refuses while a process holds the run", async () => {
  const { folder, remove, rowOf } = place();
  const lock = lockRun(folder);
  await expect(remove({ yes: true })).rejects.toThrow("is in use by a live process");
  lock.release();
  expect(existsSync(folder) && rowOf() !== undefined).toBe(true);
});

it("names the runs that build on it", async () => {
  const { workspace, remove, terminal } = place();
  const other = (id: string, config: object) => {
    mkdirSync(join(workspace, id));
    writeFileSync(join(workspace, id, "config.json"), JSON.stringify(config));
  };
  other("next-1", { ppo: { policy: "../tiny-1/sft/final", rewards: [{ path: "../tiny-1/reward/final" }] } });
  other("later-1", { experiment: { previous: "tiny-1" } });
  other("alone-1", { ppo: { policy: "../tiny-10/sft/final" }, name: "tiny" });
  await remove({ ask: async () => "n" });
  expect(terminal.notes.filter((note) => note.includes("builds on it")).sort()).toEqual([
    expect.stringContaining("later-1 builds on it (experiment.previous)"),
    expect.stringContaining("next-1 builds on it (ppo.policy, ppo.rewards.0.path)"),
  ]);
});

it("takes no other program's folder for a run", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(join(folder, "thesis.txt"), "years of work");
  await expect(
    deleteRun({ run: folder, workspace: "runs", yes: true, terminal: keptTerminal(), ask: null }),
  ).rejects.toThrow("is not a run of this workspace");
  expect(existsSync(join(folder, "thesis.txt"))).toBe(true);
});

it("deletes the rows of a run whose folder is gone", async () => {
  const { folder, remove, rowOf } = place();
  rmSync(folder, { recursive: true });
  expect(await remove({ yes: true })).toBe(0);
  expect(rowOf()).toBeUndefined();
});

it("gives the folder its name back if the database refuses", async () => {
  const { workspace, folder } = place();
  for (const name of readdirSync(workspace)) if (name.startsWith("ballast.db")) rmSync(join(workspace, name));
  writeFileSync(join(workspace, "ballast.db"), "no database".repeat(100));
  const lock = lockRun(folder);
  expect(() => removeRun({ id: "tiny-1", folder, workspace }, lock)).toThrow("not a database");
  expect(existsSync(join(folder, "config.json"))).toBe(true);
  lock.release();
});
