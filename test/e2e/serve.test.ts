/** The real server: its printed address opens, only its owner can read the token, and Ctrl-C ends it with streams open. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { builtProgram as bin } from "../support/built-package.ts";
import { temporaryFolder } from "../support/store.ts";

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** The page's address, with the token. */
  readonly address: string;
}

async function serve(workspace: string, ...args: string[]): Promise<Started> {
  const child = spawn(bin, ["serve", "--workspace", workspace, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  while (!/Ctrl-C ends/.test(output) && child.exitCode === null) await new Promise((r) => setTimeout(r, 20));
  return { child, output: () => output, address: /http\S+token=\S+/.exec(output)?.[0] ?? "" };
}

it("serves page, API and metrics over an empty workspace, and ends at once though a stream is open", async () => {
  const workspace = join(temporaryFolder(), "new", "runs");
  const { child, address, output } = await serve(workspace, "--port", "0");
  expect(address, output()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#\/\?token=[\w-]{43}$/);
  const [base, token] = address.split("/#/?token=") as [string, string];
  expect(readFileSync(join(workspace, "token"), "utf8")).toBe(`${token}\n`);
  expect(statSync(join(workspace, "token")).mode & 0o777).toBe(0o600);

  const page = await fetch(base);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(await page.text()).toContain('src="./app.js"');
  const script = await fetch(`${base}/app.js`);
  expect([script.status, script.headers.get("content-encoding")]).toEqual([200, "gzip"]);
  const again = await fetch(`${base}/app.js`, { headers: { "if-none-match": script.headers.get("etag")! } });
  expect(again.status).toBe(304);
  expect(await (await fetch(`${base}/api/runs`)).json()).toEqual({ runs: [] });
  const headers = { authorization: `Bearer ${token}` };
  const workspaceAnswer = await (await fetch(`${base}/api/workspace`, { headers })).json();
  expect(workspaceAnswer).toMatchObject({ mayChange: true, option: `--workspace ${workspace}` });
  expect((await fetch(`${base}/metrics`)).status).toBe(200);

  const taken = await serve(workspace, "--port", new URL(base).port);
  expect(taken.output()).toContain(`port ${new URL(base).port} is in use`);
  expect(taken.child.exitCode).toBe(1);

  const stream = await fetch(`${base}/api/stream?runs=`);
  const reader = stream.body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain("event: batch");
  const began = performance.now();
  child.kill("SIGINT");
  await once(child, "exit");
  expect(child.exitCode).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000);
});

it("answers at the address that it prints, on another loopback address too", async () => {
  const { address } = await serve(temporaryFolder(), "--port", "0", "--host", "127.0.0.2");
  const [base] = address.split("/#");
  expect(base).toContain("127.0.0.2");
  expect(await (await fetch(`${base}/api/runs`)).json()).toEqual({ runs: [] });
});

it("refuses a token that others can read, or that is none, and says what to do", async () => {
  const workspace = temporaryFolder();
  const path = join(workspace, "token");
  writeFileSync(path, `${"x".repeat(43)}\n`);
  chmodSync(path, 0o644);
  const open = await serve(workspace, "--port", "0");
  expect(open.output()).toContain(`others can read the token ${path}`);
  expect(open.output()).toContain(`rm ${path}`);
  chmodSync(path, 0o600);
  writeFileSync(path, "short\n");
  expect((await serve(workspace, "--port", "0")).output()).toContain("does not hold a token");
});
