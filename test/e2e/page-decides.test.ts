/** An operator decides in the browser: a waiting trainer obeys, and one that has ended is resumed by the command that the page shows. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openStore, type Store } from "../../src/store/index.ts";
import { browserPath, complaintsOf, launch, type Served, serve, until } from "../support/browser.ts";
import { ballast, seen, start, tinyFolder } from "./ballast.ts";

const short = ["sft.steps=20", "reward.steps=10", "ppo.iterations=12"];

describe.skipIf(browserPath === undefined)("a decision in the browser", () => {
  const folder = tinyFolder();
  const runs = join(folder, "runs");
  let served: Served;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    served = await serve(folder, runs);
    browser = await launch();
  });
  afterAll(async () => {
    await served?.stop();
    await browser?.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    complaints = complaintsOf(page);
    await page.goto(`${served.origin}/#/?token=${served.token}`);
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  const inStore = <T>(look: (store: Store) => T): T => {
    const store = openStore(join(runs, "ballast.db"), { readonly: true });
    try {
      return look(store);
    } finally {
      store.close();
    }
  };
  const decide = async (run: string, { choice, reason }: { choice: string; reason: string }) => {
    await page.goto(`${served.origin}/#/runs/${run}/control`);
    const form = page.getByRole("form", { name: /^decision on incident/ });
    await form.getByRole("radio", { name: choice }).check();
    await form.getByRole("textbox", { name: /^Reason/ }).fill(reason);
    await form.locator(".press button").click();
    return until(() => inStore((store) => store.incidents({ run })[0]?.decision));
  };

  it("is obeyed by the trainer that waits for it", async () => {
    const training = start(folder, "run", "tiny.yaml", ...short, "--inject", "stale-rollouts@6", "--wait");
    await seen(training, /incident 1/);
    // While the form is open, incoming news does not clear it.
    const decision = await decide("tiny-1", {
      choice: "Stop the run",
      reason: "a sampler that <b>never</b> gets new weights",
    });
    expect(decision).toMatchObject({ action: "stop", reason: "a sampler that <b>never</b> gets new weights" });
    const { code } = await training.ended;
    expect(code).toBe(3);
    await page.getByText("stopped by the controller").first().waitFor();
  });

  it("is carried out by the command that the page shows, if no trainer waits", async () => {
    const ended = await ballast(folder, "run", "tiny.yaml", ...short, "--inject", "advantages@6", "name=later");
    expect(ended.code).toBe(3);
    await decide("later-1", { choice: "Roll back to", reason: "before it went wrong" });
    const command = await until(
      async () => /ballast (resume later-1.*)/.exec(await page.locator("main").innerText())?.[1],
    );
    const resumed = await ballast(folder, ...command.replace("copy", "").trim().split(/\s+/));
    // The fault is still there: what matters is that the run went back and reached it again.
    expect(resumed.code).toBe(3);
    expect(inStore((store) => store.attempts("later-1")).length).toBeGreaterThan(1);
    expect(inStore((store) => store.events("later-1", { kind: "rollback" }).rows)).toHaveLength(1);
  });

  it("stands in the run's page as one file, which needs no server", async () => {
    const file = join(folder, "later.html");
    const exported = await ballast(folder, "export", "later-1", "--format", "html", "--out", file);
    expect(exported.code, exported.stderr).toBe(0);
    await page.goto(`file://${file}`);
    await page.getByRole("heading", { name: "later-1" }).waitFor();
    await page.getByRole("status").filter({ hasText: "exported file" }).waitFor();
    await page.getByRole("link", { name: /^Control/ }).click();
    await page.getByText("before it went wrong").first().waitFor({ state: "attached" });
    await page.getByRole("link", { name: /^Run/ }).last().click();
    await page.locator(".u-over").first().waitFor();
  });

  it("pauses a run, changes a setting, and lets it go on", async () => {
    const training = start(
      folder,
      "run",
      "tiny.yaml",
      "sft.steps=20",
      "reward.steps=10",
      "ppo.iterations=100000",
      "control.interventions=off",
      "name=steered",
    );
    try {
      await seen(training, /ppo: 100000 iterations/);
      await page.goto(`${served.origin}/#/runs/steered-1/control`);
      const state = () => inStore((store) => store.run("steered-1")?.state);
      const given = page.locator(".given li");
      // A change is refused if its sender has not seen the previous one, so the page must show that it was carried out.
      const shown = (count: number) =>
        until(async () => (await given.count()) === count && (await page.getByText("none is waiting").count()) === 1);
      await page.getByRole("button", { name: /^Pause/ }).click();
      await until(() => state() === "paused");
      await shown(1);
      await page.getByRole("combobox", { name: "setting" }).selectOption("ppo.entropyCoef");
      await page.getByRole("textbox", { name: "new value of ppo.entropyCoef" }).fill("0.02");
      await page.getByRole("button", { name: "Change" }).click();
      await until(() =>
        inStore((store) => store.settings("steered-1", { key: "ppo.entropyCoef" }).rows.at(-1)?.value === 0.02),
      );
      await shown(2);
      await page.getByRole("button", { name: /^Resume/ }).click();
      await until(() => state() === "running");
    } finally {
      training.child.kill("SIGKILL");
    }
  });
});
