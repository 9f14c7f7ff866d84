/** The lock of a run's folder: held against other processes, released with its holder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockRun } from "./lock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("is refused to a second holder and free again after release", () => {
  const lock = lockRun(folder);
  expect(() => lockRun(folder)).toThrow(`in use by a live process (process ${process.pid})`);
  lock.release();
  lockRun(folder).release();
});

it("names the machine of a holder on a shared drive, and one of an earlier version by its process", () => {
  const lock = lockRun(folder);
  writeFileSync(join(folder, "owner"), "123 elsewhere\n");
  expect(() => lockRun(folder)).toThrow("in use by a live process (process 123 on elsewhere)");
  writeFileSync(join(folder, "owner"), "123\n");
  expect(() => lockRun(folder)).toThrow("(process 123)");
  lock.release();
});

it("is free whoever the file of its last owner names: a process id may be another program's since", () => {
  writeFileSync(join(folder, "owner"), `${process.pid}\n`);
  lockRun(folder).release();
  writeFileSync(join(folder, "owner"), "1 elsewhere\n");
  lockRun(folder).release();
});

it("is held against this process by another one, and gone once that was killed", async () => {
  const holder = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      "-e",
      `import(${JSON.stringify(new URL("./lock.ts", import.meta.url).href)}).then((m) => { m.lockRun(${JSON.stringify(folder)}); console.log("held"); setInterval(() => {}, 1000); });`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(holder.stdout, "data");
  expect(() => lockRun(folder)).toThrow(`(process ${holder.pid})`);
  const gone = once(holder, "exit");
  holder.kill("SIGKILL");
  await gone;
  lockRun(folder).release();
});
