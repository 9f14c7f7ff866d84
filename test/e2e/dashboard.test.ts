/** `--dashboard` on the real program: the page is available while the run trains, follows it, and ends with it, however that ends. */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { ballast, type Running, seen, start, tinyFolder } from "./ballast.ts";

const long = ["ppo.iterations=100000", "ppo.checkpointEvery=0", "control.interventions=off", "--dashboard"];
const shown = /dashboard: (http:\/\/127\.0\.0\.1:(\d+))\/#\/\?token=[\w-]{43}\n/;

function folder(): string {
  const folder = tinyFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The usual port, held by a different process. */
async function takenPort(): Promise<void> {
  const server = createServer().listen(9464, "127.0.0.1");
  onTestFinished(() => void server.close());
  await Promise.race([once(server, "listening"), once(server, "error")]);
}

async function training(cwd: string, ...args: string[]): Promise<Running & { readonly base: string }> {
  const running = start(cwd, ...args);
  onTestFinished(() => void running.child.kill("SIGKILL"));
  await seen(running, shown);
  return { ...running, base: shown.exec(running.notes())![1]! };
}

/** Whether nobody answers there within a few seconds. */
async function gone(base: string): Promise<boolean> {
  for (let i = 0; i < 100; i++, await sleep(50)) {
    try {
      await fetch(`${base}/api/runs`);
    } catch {
      return true;
    }
  }
  return false;
}

it("shows the run while it trains, on a free port if the usual one is taken, and ends with it", async () => {
  const cwd = folder();
  await takenPort();
  const { base, child, ended, notes } = await training(cwd, "run", "tiny.yaml", ...long);
  expect(base).not.toContain(":9464");
  const { runs } = (await (await fetch(`${base}/api/runs`)).json()) as { runs: object[] };
  expect(runs).toMatchObject([{ id: "tiny-1", state: "running", alive: true }]);
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ code: 130 });
  expect(await gone(base)).toBe(true);
  expect(notes().match(new RegExp(shown, "g"))).toHaveLength(1);
  expect(notes()).not.toContain("the dashboard did not start");

  const resumed = await training(cwd, "resume", "tiny-1", "--dashboard");
  expect((await (await fetch(`${resumed.base}/api/runs`)).json()) as object).toMatchObject({ runs: [{ attempt: 2 }] });
  // A killed process can no longer tell the page anything.
  resumed.child.kill("SIGKILL");
  expect(await gone(resumed.base)).toBe(true);
});

it("changes nothing of a run that ends by itself", async () => {
  const cwd = folder();
  const { code, stdout } = await ballast(cwd, "sft", "tiny.yaml", "--dashboard", "--json");
  expect(code).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(stdout)).toMatchObject({ run: "tiny-1" });
});
