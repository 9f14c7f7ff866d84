/** A disk that fills up while a run is saving: it warns, keeps its older checkpoint, continues training, and saves again when there is room. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bin, metricsOf, tinyFolder } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

/** A file system of a few megabytes in a separate mount namespace, which ends with the script. */
const namespace = ["--user", "--map-root-user", "--mount"];
const script = `
mkdir small
mount -t tmpfs -o size=24m none small || exit 1
"$@" sft tiny.yaml workspace=small name=full sft.steps=600 sft.checkpointEvery=20 2>notes >/dev/null &
run=$!
until [ -d small/full-1/sft/checkpoint-000020 ]; do sleep 0.02; done
dd if=/dev/zero of=small/filler bs=64k 2>/dev/null
until grep -q "could not save" notes; do sleep 0.02; kill -0 $run || exit 2; done
ls -A small/full-1/sft >during
rm small/filler
wait $run
echo $? >code
ls -A small/full-1/sft >after
mkdir copy
cp small/ballast.db* copy
`;

function canMount(): boolean {
  try {
    execFileSync("unshare", [...namespace, "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canMount())("on a full disk (needs unshare and tmpfs)", () => {
  it("keeps the older checkpoint, loses no record, and saves again later", () => {
    const args = [...namespace, "sh", "-c", script, "sh", process.execPath, bin];
    const { status, stderr } = spawnSync("unshare", args, { cwd: folder, encoding: "utf8", timeout: 50_000 });
    const file = (name: string) => readFileSync(join(folder, name), "utf8");
    expect(status, stderr + file("notes")).toBe(0);
    expect(file("notes")).toMatch(/warning: could not save the state of sft \d+: .*checkpoint-\d+ is still there/);
    expect(file("during")).toMatch(/^checkpoint-\d+$/m);
    expect(file("during")).not.toContain(".new");
    expect(file("code").trim()).toBe("0");
    expect(file("after").trim().split("\n")).toEqual(["checkpoint-000580", "checkpoint-000600", "final"]);
    const losses = [...metricsOf(join(folder, "copy"), "full-1").keys()].filter((key) => key.endsWith("sft/loss"));
    expect(losses).toHaveLength(600);
  });
});

describe.skipIf(!existsSync("/dev/full"))("where what it prints finds no room (needs /dev/full)", () => {
  const printing = (args: readonly string[], to: "stdout" | "stderr") => {
    const full = openSync("/dev/full", "w");
    const stdio = (["ignore", "pipe", "pipe"] as ("ignore" | "pipe" | number)[]).with(to === "stdout" ? 1 : 2, full);
    const ended = spawnSync(process.execPath, [bin, ...args], {
      cwd: folder,
      encoding: "utf8",
      stdio,
      timeout: 50_000,
    });
    closeSync(full);
    return ended;
  };

  it("trains on without its notes", () => {
    const { status, stdout } = printing(["sft", "tiny.yaml", "name=mute"], "stderr");
    expect(status).toBe(0);
    expect(stdout).toContain("The run is mute-1");
  });

  it("says that a result was lost", () => {
    const { status, stderr } = printing(["rules", "list"], "stdout");
    expect(stderr).toMatch(/^error: the output could not be written: .*no space/m);
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(1);
  });
});
