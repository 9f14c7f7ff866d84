/** The page in a real browser, over a run that trains meanwhile. */
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, BrowserContext, Page, Request } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/index.ts";
import { browserPath, complaintsOf, launch, type Served, serve, until } from "../support/browser.ts";
import { type Running, seen, start, tinyFolder } from "./ballast.ts";

const views = [
  "/runs",
  "/runs/tiny-1",
  "/runs/tiny-1/samples",
  "/runs/tiny-1/behaviour",
  "/runs/tiny-1/control",
  "/compare?runs=tiny-1",
  "/lab",
  "/new",
  "/playground",
];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

describe.skipIf(browserPath === undefined)("the page", () => {
  const folder = tinyFolder();
  const runs = join(folder, "runs");
  let training: Running;
  let served: Served;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    training = start(
      ...[
        folder,
        "run",
        "tiny.yaml",
        "ppo.iterations=100000",
        "ppo.checkpointEvery=200",
        "sft.steps=20",
        "reward.steps=10",
      ],
      ...[
        "control.monitor.prompts={path: prompts.jsonl, limit: 8}",
        "control.monitor.samples=16",
        "control.interventions=off",
      ],
    );
    await seen(training, /ppo: 100000 iterations/);
    served = await serve(folder, runs);
    browser = await launch();
  });
  afterAll(async () => {
    training?.child.kill("SIGKILL");
    await served?.stop();
    await browser?.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    page = await context.newPage();
    complaints = complaintsOf(page);
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  const open = async (hash: string, where = page) => {
    await where.goto(`${served.origin}/#${hash}`);
    await where.locator("h1").first().waitFor();
  };
  const recorded = () => {
    const store = openStore(join(runs, "ballast.db"), { readonly: true });
    try {
      return store.run("tiny-1")?.position?.iteration ?? 0;
    } finally {
      store.close();
    }
  };
  /** The iteration shown in the strip. */
  const shown = async (where = page) =>
    Number(
      /PPO iteration\s*(\d+)\s*of/.exec((await where.locator("main").innerText()).replaceAll("\n", " "))?.[1] ?? -1,
    );

  it("shows the runs, and follows one as it is written", async () => {
    await open(`/?token=${served.token}`);
    await page.getByRole("link", { name: "tiny-1" }).click();
    await until(async () => (await shown()) >= 0);
    for (const _ of [1, 2, 3]) {
      const written = await until(() => recorded() || null);
      await until(async () => (await shown()) >= written, 5_000);
    }
    expect(await page.evaluate("location.hash")).not.toContain("token");
    await page.getByRole("status").filter({ hasText: "live" }).waitFor();
  });

  it("keeps what one looks at in the address: a zoom outlives a reload and goes to a second tab", async () => {
    await open("/runs/tiny-1");
    const plot = page.locator(".u-over").first();
    await until(() => recorded() > 20);
    const box = (await until(() => plot.boundingBox()))!;
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 50, { steps: 4 });
    await page.mouse.up();
    const hash = await until(async () => /from=\d+/.test(page.url()) && new URL(page.url()).hash);
    expect(hash).toMatch(/to=\d+/);
    await page.reload();
    await page.locator(".u-over").first().waitFor();
    expect(new URL(page.url()).hash).toBe(hash);
    const second = await context.newPage();
    await second.goto(page.url());
    await second.locator(".u-over").first().waitFor();
    expect(new URL(second.url()).hash).toBe(hash);
    await page.bringToFront();
    await page.keyboard.press("0");
    await until(() => !/from=/.test(page.url()));
  });

  it("reads one stream for all tabs, none while all are hidden, and catches up", async () => {
    const streams = new Set<Request>();
    const isStream = (request: Request) => request.url().includes("/api/stream");
    context.on("request", (request) => isStream(request) && streams.add(request));
    context.on("requestfinished", (request) => streams.delete(request));
    context.on("requestfailed", (request) => streams.delete(request));
    await open("/runs/tiny-1");
    const second = await context.newPage();
    await open("/runs", second);
    await second.getByRole("status").filter({ hasText: "● live" }).waitFor();
    await until(() => streams.size === 1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(streams.size).toBe(1);
    const before = await until(async () => (await shown()) > 0 && (await shown()));
    await until(async () => (await shown()) > before);

    const hide = (where: Page, hidden: boolean) =>
      where.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
        document.dispatchEvent(new Event("visibilitychange"));`);
    await hide(page, true);
    await hide(second, true);
    await until(() => streams.size === 0);
    const left = recorded();
    await until(() => recorded() > left + 3);
    await hide(page, false);
    await until(async () => streams.size === 1 && (await shown()) > left + 3);
  });

  it("waits for a server that is gone, and goes on when it is back", async () => {
    await open("/runs/tiny-1");
    await page.getByRole("status").filter({ hasText: "live" }).waitFor();
    const { port } = new URL(served.origin);
    await served.stop();
    await page.getByRole("status").filter({ hasText: "not connected" }).waitFor();
    const left = recorded();
    served = await serve(folder, runs, Number(port));
    await page.getByRole("status").filter({ hasText: "live" }).waitFor();
    await until(async () => (await shown()) > left);
    // The browser's message about a broken connection is not the page's error.
    complaints = complaints.filter((text) => !/ERR_CONNECTION|ERR_INCOMPLETE|Failed to load resource/.test(text));
  });

  it("is driven by keys alone", async () => {
    await open("/runs/tiny-1");
    await page.keyboard.press("g");
    await until(() => page.url().endsWith("#/runs"));
    await page.getByRole("link", { name: "tiny-1" }).waitFor();
    await page.keyboard.press("j");
    await until(() => page.url().includes("at=tiny-1"));
    await page.keyboard.press("Enter");
    await until(() => page.url().includes("#/runs/tiny-1"));
    await page.getByRole("link", { name: /^Samples/ }).waitFor();
    for (const [key, view] of Object.entries({ 2: "samples", 3: "behaviour", 4: "control" })) {
      await page.keyboard.press(key);
      await until(() => page.url().includes(`/tiny-1/${view}`));
    }
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await until(async () => (await page.getByRole("dialog").count()) === 0);
  });

  it("says so if an address has no page", async () => {
    await page.goto(`${served.origin}/#/nowhere`);
    await page.getByText("There is no page nowhere").waitFor();
    await page.getByRole("link", { name: "all runs" }).click();
    await page.getByRole("link", { name: "tiny-1" }).waitFor();
  });

  it("shows the samples of an iteration, token by token", async () => {
    await open("/runs/tiny-1/samples");
    await page.getByText(/^say /).first().waitFor();
    await until(async () => (await page.locator("main").innerText()).includes("score"));
  });

  // Each theme and each width once: axe sees the same in the other two.
  it.each([
    ["light", 1440, 900],
    ["dark", 390, 844],
  ] as const)("has no serious fault of access in any view: %s, %i wide", async (colorScheme, width, height) => {
    const other = await browser.newContext({ colorScheme, viewport: { width, height } });
    const tab = await other.newPage();
    const said = complaintsOf(tab);
    await open(`/?token=${served.token}`, tab);
    const faults: unknown[] = [];
    for (const hash of views) {
      await open(hash, tab);
      await new Promise((resolve) => setTimeout(resolve, 400));
      const wider = Number(await tab.evaluate("document.scrollingElement.scrollWidth - innerWidth"));
      if (wider > 0) faults.push({ hash, wider });
      const ground = await tab.evaluate("getComputedStyle(document.documentElement).backgroundColor");
      expect(ground === "rgb(19, 21, 23)").toBe(colorScheme === "dark");
      await tab.evaluate(axe);
      const { violations } = (await tab.evaluate("axe.run()")) as { violations: AxeFault[] };
      for (const { id, impact, nodes } of violations)
        if (impact === "serious" || impact === "critical")
          faults.push({ hash, id, at: nodes.slice(0, 3).map(({ html }) => html) });
    }
    await other.close();
    expect(faults).toEqual([]);
    expect(said).toEqual([]);
  });
});

interface AxeFault {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
