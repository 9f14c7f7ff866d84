/** Whatever a model, a file or a user wrote: answers are data, the exported page has no markup from it, CSV has no formula. */
import { Window } from "happy-dom";
import { describe, expect, it } from "vitest";
import { evidence, incidentRecord } from "../../test/support/incident.ts";
import { asked, served } from "../../test/support/server.ts";
import { sampleRecord } from "../../test/support/store.ts";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import type { ControlAnswer, EventAnswer, RunAnswer, SamplesAnswer } from "../types/page.ts";
import { dataText, staticPage } from "./static-page.ts";
import type { WebFiles } from "./web.ts";

const nasty = [
  "<script>alert(1)</script>",
  "</script><script>alert(2)</script><!-- <script",
  `"><img src=x onerror=alert(3)>`,
  "\u202egnirts\u2028\u2029\u0000\u001b[2J\ud800",
  "=HYPERLINK(1)",
].join(" ");
const long = "x".repeat(1 << 20);
/** An emoji at the position where texts are cut. */
const atTheEdge = `${"y".repeat(7_999)}😀${long}`;

function hostile() {
  const run = workspaceWithRun();
  const { store } = run;
  const config = JSON.stringify({ objective: nasty, ppo: { iterations: 3 }, control: { profile: nasty } });
  store.createRun({
    ...{ id: "bad-1", objective: nasty + long, seed: 1, folder: `/runs/${nasty}`, config },
    ...{ machine: JSON.stringify({ cpu: nasty }), createdAt: Date.now() },
  });
  const recorder = store.recorder("bad-1", store.startAttempt("bad-1"));
  recorder.metrics("ppo", 0, { [nasty]: Number.NEGATIVE_INFINITY, "=1+1": -1, "-a,b": 2 });
  recorder.event({
    ...({ kind: "alert", stage: "ppo", iteration: 0, message: nasty + long } as const),
    data: { alert: { rule: nasty, signal: nasty, tier: nasty }, incident: nasty },
  });
  recorder.setting({ stage: "ppo", iteration: 0, key: nasty, before: nasty, value: nasty + long, cause: "operator" });
  recorder.samples("ppo", 0, [
    sampleRecord({ prompt: nasty, response: nasty, tokens: [nasty.slice(0, 90)], components: { [nasty]: Number.NaN } }),
    sampleRecord({
      ...{ prompt: long, response: atTheEdge, tokens: Array.from({ length: 3_000 }, () => atTheEdge.slice(0, 500)) },
      ...{ logprobs: Array.from({ length: 3_000 }, () => Number.NaN) },
    }),
  ]);
  const worstSamples = [{ prompt: nasty, response: long, score: Number.NaN }];
  const said = {
    index: 0,
    kind: nasty,
    prompt: nasty,
    response: nasty + long,
    score: Number.NaN,
    stopReason: "stop",
  } as const;
  recorder.answers("ppo", 0, "policy", [{ ...said, verdicts: { [nasty]: true } }]);
  store.addMark("bad-1", { kind: "note", value: nasty + long, present: true });
  store.addMark("bad-1", { kind: "tag", value: nasty, present: true });
  recorder.incident(incidentRecord({ summary: nasty, rule: nasty, evidence: { ...evidence, worstSamples } }));
  store.addCommand("bad-1", { kind: "set", payload: { key: nasty, value: nasty }, reason: nasty + long });
  recorder.commit();
  return { ...run, app: served(store) };
}

const paths = [
  "/api/runs",
  "/api/runs/bad-1/behaviour/answers?a=0&b=0",
  "/api/runs/bad-1/samples?q=script",
  ...[
    "",
    "/series?keys==1+1",
    "/events",
    "/settings",
    "/samples?iteration=0",
    "/samples/iterations",
    "/control",
    "/behaviour",
  ].map((rest) => `/api/runs/bad-1${rest}`),
];

describe("answers", () => {
  it.each(paths)("of %s are JSON that no browser takes for more, and have an end", async (path) => {
    const { app } = hostile();
    const response = await app.request(`http://localhost${path}`, { headers: { host: "localhost" } });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await response.text();
    expect(text.length).toBeLessThan(400_000);
    expect(() => JSON.parse(text)).not.toThrow();
    // Half of a pair has no UTF-8: only its escape survives.
    expect(text).not.toMatch(/\p{Surrogate}/u);
  });

  it("have the text as it was, cut if it is too long, never in the middle of a character", async () => {
    const { app } = hostile();
    const { answer: samples } = await asked<SamplesAnswer>(app, "/api/runs/bad-1/samples?iteration=0");
    const [first, second] = samples.samples;
    expect([first?.prompt, first?.response, first?.tokens, first?.cut]).toEqual([
      nasty,
      nasty,
      [expect.any(String)],
      null,
    ]);
    expect(first?.components).toEqual({ [nasty]: "NaN" });
    expect(second?.response).toBe("y".repeat(7_999));
    expect(second?.cut).toBe(long.length + atTheEdge.length);
    expect([second?.tokens.length, second?.logprobs.length, second?.logprobs[0]]).toEqual([2_000, 2_000, "NaN"]);
    const { answer: events } = await asked<EventAnswer>(app, "/api/runs/bad-1/events");
    expect(events.rows[0]?.message.startsWith(nasty)).toBe(true);
    expect(events.rows[0]?.message).toMatch(/… \(\d+ characters\)$/);
    expect(events.rows[0]).toMatchObject({ rule: nasty, signal: nasty });
    expect(events.rows[0]).not.toHaveProperty("tier");
    expect(events.rows[0]).not.toHaveProperty("incident");
    const { answer: control } = await asked<ControlAnswer>(app, "/api/runs/bad-1/control");
    expect(control.incidents[0]?.summary).toBe(nasty);
    expect(control.commands[0]?.payload).toEqual({ key: nasty, value: nasty });
    const { answer: run } = await asked<RunAnswer>(app, "/api/runs/bad-1");
    expect(run.keys.map(({ key }) => key)).toContain(nasty);
    expect(run.latest.ppo?.[nasty]).toBe("-Infinity");
  });

  it("about errors repeat little and say nothing of the inside", async () => {
    const { app } = hostile();
    for (const path of [
      `/api/runs/${encodeURIComponent(nasty.slice(0, -20))}`,
      `/api/${"x".repeat(5_000)}`,
      "/api/runs/bad-1/diagnosis",
    ]) {
      const { status, answer } = await asked<{ error: string }>(app, path);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(answer.error.length).toBeLessThan(400);
      expect(JSON.stringify(answer)).not.toMatch(/\.ts:|node_modules|\n\s+at /);
    }
  });
});

it("CSV has numbers as numbers and no cell that begins a formula", async () => {
  const { app } = hostile();
  const keys = new URLSearchParams(["=1+1", "-a,b", "\u202e", "\t=2"].map((key): [string, string] => ["key", key]));
  const response = await app.request(`http://localhost/api/runs/bad-1/metrics.csv?stage=ppo&${keys}`, {
    headers: { host: "localhost" },
  });
  const text = await response.text();
  const [head, line] = text.split("\n");
  expect(head).toBe(`iteration,'=1+1,"'-a,b",\u202e,'\t=2`);
  expect(line).toBe("0,-1,2,,");
  expect(response.headers.get("content-disposition")).toBe('attachment; filename="bad-1-ppo.csv"');
});

describe("the exported page", () => {
  const file = (type: string, text: string) => ({ type, body: Buffer.from(text), packed: Buffer.from(""), etag: "" });
  const web: WebFiles = {
    "index.html": file(
      "text/html",
      `<!doctype html><html><head><title>Ballast</title><script type="module" crossorigin src="./app.js"></script>
       <link rel="stylesheet" href="./app.css"></head><body><div id="app"></div></body></html>`,
    ),
    "app.js": file("text/javascript", `const a = "</script><!--$&"; document.title = a;`),
    "app.css": file("text/css", "body { color: red }"),
  };

  it("has two scripts, its own and the data, and no element of what was recorded", async () => {
    const { app } = hostile();
    const page = await staticPage({ app, run: "bad-1", web });
    const { document } = new Window().window;
    document.write(page);
    const tags = [...document.querySelectorAll("*")].map(({ tagName }) => tagName.toLowerCase()).sort();
    expect(tags).toEqual(["body", "div", "head", "html", "meta", "script", "script", "style", "title"]);
    expect(page.match(/<script/gi)).toHaveLength(2);
    expect(page.match(/<\/script/gi)).toHaveLength(2);
    expect(page).not.toMatch(/[\u2028\u2029\u202e]|<!--/);
    expect(document.querySelectorAll("[src], [href], [onerror]")).toHaveLength(0);
    const data = JSON.parse(document.getElementById("ballast-data")!.textContent!) as Record<string, EventAnswer>;
    expect(data["/api/runs/bad-1/events?before=newest&notes=0"]).toBeDefined();
    expect(data["/api/runs/bad-1/events?before=newest"]?.rows[0]?.message.startsWith(nasty)).toBe(true);
    expect(Object.keys(data)).toContain("/api/runs/bad-1/samples?iteration=0&stage=ppo");
    expect(Object.keys(data)).toContain("/api/runs/bad-1/series?stage=ppo");
  });

  it("runs what it brought, by its hash, and asks nobody", async () => {
    const { app } = hostile();
    const page = await staticPage({ app, run: "bad-1", web });
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)![1]!;
    expect(policy).toMatch(/script-src 'sha256-[^']+';/);
    expect(policy).toContain("connect-src 'none'");
    expect(policy).not.toContain("unsafe");
    const script = /<script type="module">(.*?)<\/script>/s.exec(page)![1]!;
    const hash = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(script))).toString("base64");
    expect(policy).toContain(`'sha256-${hash}'`);
    // The escape is the same text to JavaScript.
    expect(new Function(`${script.replace("document.title = a", "return a")}`)()).toBe("</script><!--$&");
  });

  it("of data that ends its element stays data", () => {
    const text = dataText({ [nasty]: nasty });
    expect(text).not.toMatch(/[<>&\u2028\u2029]/);
    expect(JSON.parse(text)).toEqual({ [nasty]: nasty });
  });

  it("of a run that is not there is none", async () => {
    const { app } = hostile();
    await expect(staticPage({ app, run: "none-1", web })).rejects.toThrow("there is no run none-1");
  });
});
