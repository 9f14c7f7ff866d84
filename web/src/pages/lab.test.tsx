// @vitest-environment happy-dom
/** The laboratory's page: tables, pictures, links to runs. */
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LabAnswer } from "../../../src/types/page.ts";
import { setQuery, view } from "../router.ts";
import { runsOf } from "./lab/experiment.tsx";
import { LabPage } from "./lab.tsx";

vi.mock("../state/live.ts", async () => ({ line: (await import("@preact/signals")).signal("live") }));

const experiment = (id: string, more: Partial<LabAnswer["experiments"][number]> = {}) => ({
  id,
  title: `Experiment ${id}`,
  at: 0,
  notes: ["Seeds <script>11</script> to 13."],
  tables: [
    {
      title: "Faults",
      columns: ["fault", "caught", "controller", "without"],
      rows: [
        ["lr-spike", "3/3", "83.8±3.2", "0.0±2.3"],
        ["lr", "3/3", "83.8±3.2", "85.1±3.2"],
      ],
    },
    { title: "Plain", columns: ["a"], rows: [["b"]] },
  ],
  runs: ["lr-spike-11-on-1", "lr-spike-11-off-1", "lr-12-on-1"],
  ...more,
});

let experiments: LabAnswer["experiments"] = [];

beforeEach(() => {
  experiments = [experiment("one"), experiment("two")];
  view.value = { path: ["lab"], query: {} };
  history.replaceState(null, "", "#/lab");
  vi.stubGlobal("fetch", async () => Response.json({ experiments } satisfies LabAnswer));
});

afterEach(() => render(null, document.body));

async function open(): Promise<void> {
  render(<LabPage />, document.body);
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 4));
}

it("shows a table with its picture if there are intervals, and its runs if they lie here", async () => {
  await open();
  expect(document.querySelector("h2")!.textContent).toBe("Experiment one");
  const [faults, plain] = document.querySelectorAll(".lab-table");
  expect(faults!.querySelectorAll("figure svg.intervals")).toHaveLength(2);
  expect(faults!.querySelector("svg.intervals")!.getAttribute("aria-label")).toBe(
    "lr-spike: controller 83.8, 80.6 to 87; without 0, −2.3 to 2.3",
  );
  expect(plain!.querySelector("figure")).toBeNull();
  expect([...faults!.querySelectorAll("td a")].map((link) => link.getAttribute("href"))).toEqual([
    "#/compare?runs=lr-spike-11-on-1%2Clr-spike-11-off-1",
    "#/compare?runs=lr-12-on-1",
  ]);
  expect(document.body.textContent).toContain("Seeds <script>11</script> to 13.");
  expect(document.querySelector("script")).toBeNull();
});

it("the address chooses the experiment", async () => {
  setQuery({ experiment: "two" });
  await open();
  expect(document.querySelector("h2")!.textContent).toBe("Experiment two");
  expect(document.querySelector("[aria-current=page]")!.textContent).toBe("Experiment two");
});

it("an address of an experiment that is not here shows no other one, and leads to those that are", async () => {
  experiments = [experiment("one")];
  setQuery({ experiment: "three" });
  await open();
  expect(document.querySelector("h2")).toBeNull();
  expect(document.body.textContent).toContain("There is no experiment three in this workspace");
  expect(document.querySelector(".tabs a")!.textContent).toBe("Experiment one");
});

it("gives a table away as Markdown", async () => {
  let copied = "";
  vi.stubGlobal("navigator", {
    ...navigator,
    clipboard: {
      writeText: async (text: string) => {
        copied = text;
      },
    },
  });
  await open();
  document.querySelector<HTMLElement>("[aria-label='copy as Markdown: Faults']")!.click();
  expect(copied.split("\n").slice(0, 3)).toEqual([
    "| fault | caught | controller | without |",
    "| --- | --- | --- | --- |",
    "| lr-spike | 3/3 | 83.8±3.2 | 0.0±2.3 |",
  ]);
  vi.unstubAllGlobals();
});

it("an empty laboratory says what to type", async () => {
  experiments = [];
  await open();
  expect(document.body.textContent).toContain("lab faults --faults lr-spike --seeds 11");
});

it("runs belong to the row whose name and seed they begin with", () => {
  expect(runsOf("lr", ["lr-spike-11-on-1", "lr-12-on-1"])).toEqual(["lr-12-on-1"]);
  expect(runsOf("", ["a-1"])).toEqual([]);
});
