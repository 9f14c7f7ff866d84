/** The program that has Ray start processes, on scripts that stand in for it: what is read of it, and leaving while it waits. */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { Interrupted } from "../../util/errors.ts";
import { launchByRay } from "./ray-launch.ts";

function launch(script: string, interrupted = () => false) {
  const python = join(temporaryFolder(), "python");
  writeFileSync(python, `#!/bin/sh\n${script}\n`);
  chmodSync(python, 0o755);
  return launchByRay({
    ...{ python, packageFolder: "/", remedy: "", processes: 2, threads: 1, device: "cpu", interrupted },
  });
}

test("lines that a library prints are not read as the launcher's", async () => {
  const place = '{"address": "10.0.0.1", "port": 29500, "environment": {}}';
  const end = '{"rank": 1, "code": 3, "signal": null, "errors": ""}';
  const ranks = await launch(`printf '%s\\n' 'a warning' '5' 'null' '${place}' '[1]' '{"a": 1}' 'more' '${end}'; cat`);
  expect(ranks.rendezvous).toMatchObject({ address: "10.0.0.1", port: 29500, nodes: 2 });
  const told = await new Promise((resolve) => ranks.onEnd(resolve));
  expect(told).toMatchObject({ rank: 1, code: 3 });
  await ranks.close();
});

test("who is interrupted while Ray looks for places leaves, and takes the program along", async () => {
  const file = join(temporaryFolder(), "ended");
  await expect(launch(`cat; echo ended > "${file}"`, () => true)).rejects.toBeInstanceOf(Interrupted);
  expect(existsSync(file)).toBe(true);
});
