/**
 * Takes the pictures of the dashboard that the documentation shows, light and dark:
 *
 *     ./bin/ballast serve --workspace runs &
 *     npx tsx docs/images/make.ts "http://127.0.0.1:9464/#/?token=..." --run demo-1 --incident helpdesk-mini-1 --compare demo-1,demo-2
 *
 * An experiment of the laboratory, its whole page: --lab batch --only lab-batch
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    run: { type: "string", default: "demo-1" },
    incident: { type: "string", default: "demo-1" },
    compare: { type: "string", default: "demo-1" },
    sample: { type: "string", default: "20" },
    wait: { type: "string", default: "2000" },
    lab: { type: "string", default: "" },
    only: { type: "string", default: "" },
  },
});
const [address = "http://127.0.0.1:9464"] = positionals;
const { origin } = new URL(address);
const { run, incident, compare, sample, lab } = values;

const views = {
  runs: "/runs",
  run: `/runs/${run}`,
  samples: `/runs/${run}/samples?it=${sample}&colour=advantage`,
  behaviour: `/runs/${run}/behaviour`,
  control: `/runs/${incident}/control`,
  compare: `/compare?runs=${compare}`,
  "new-run": "/new?extends=examples/helpdesk/mini.yaml",
  ...(lab !== "" && { [`lab-${lab}`]: `/lab?experiment=${lab}` }),
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
for (const colorScheme of ["light", "dark"] as const) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1360, height: 850 } });
  // With the token in the address, the page may act.
  await page.goto(address);
  for (const [name, hash] of Object.entries(views)) {
    if (values.only !== "" && !values.only.split(",").includes(name)) continue;
    await page.goto(`${origin}/#${hash}`);
    await page.reload();
    await page.locator("h1").first().waitFor();
    // Charts draw when their data have come.
    await page.waitForTimeout(Number(values.wait));
    if (name.startsWith("lab-") && (await page.locator("h2").count()) === 0)
      throw new Error(`there is no experiment ${lab} in the workspace of ${origin}`);
    const path = fileURLToPath(new URL(`${name}-${colorScheme}.png`, import.meta.url));
    await page.screenshot({ path, fullPage: name.startsWith("lab-") });
  }
  await page.close();
}
await browser.close();
