/** Webhooks with a real server: one that fails, hangs, redirects or does not exist never holds anything up. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import type { Hook } from "./hooks.ts";
import { Notifier } from "./notifier.ts";
import type { EventNotice } from "./payload.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: { readonly message: string; readonly [key: string]: unknown };
  readonly at: number;
}

/** Answers with these statuses in turn, the last one forever; `hang` never answers, `endless` never ends its body. */
async function serve(...answers: (number | "hang" | "endless")[]) {
  const received: Received[] = [];
  const respond = (response: ServerResponse, answer: number | "hang" | "endless") => {
    if (answer === "hang") return;
    response.writeHead(answer === "endless" ? 200 : answer, answer === 302 ? { location: "/elsewhere" } : {});
    if (answer === "endless") response.write("x".repeat(1_000));
    else response.end("x".repeat(100));
  };
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const answer = answers[Math.min(received.length, answers.length - 1)]!;
      received.push({ headers: request.headers, body: JSON.parse(text), at: performance.now() });
      respond(response, answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { received, url: `http://127.0.0.1:${port}/services/T000/SECRETPATH?key=SECRETKEY` };
}

const token = "SECRETTOKEN";

function hook(url: string, more: Partial<Hook> = {}): Hook {
  return {
    name: "HOOK_URL",
    kind: "json",
    url,
    token,
    tiers: [1, 2],
    samples: false,
    timeoutMs: 300,
    retries: 2,
    ...more,
  };
}

const notice = (message: string, tier: 1 | 2 | 3 = 1): EventNotice => ({
  kind: "event",
  run: { id: "demo-1", objective: "" },
  event: { kind: "incident", stage: "ppo", iteration: 77, message },
  tier,
  incident: null,
});

function start(...hooks: Hook[]) {
  const warnings: string[] = [];
  const notifier = new Notifier({ hooks, onWarning: (text) => warnings.push(text), backoffMs: 20 });
  return { notifier, warnings };
}

it("sends in order, with the token, and only the tiers that were asked for", async () => {
  const { url, received } = await serve(200);
  const { notifier, warnings } = start(hook(url));
  for (const [i, tier] of ([1, 2, 3, 2, 1] as const).entries()) notifier.notify(notice(`${i}`, tier));
  notifier.notify({ kind: "report", title: "report", markdown: () => "report" });
  await notifier.close();
  expect(received.map(({ body }) => body.message ?? body.title)).toEqual(["0", "1", "3", "4", "report"]);
  expect(received[0]!.headers).toMatchObject({ authorization: `Bearer ${token}`, "content-type": "application/json" });
  expect(warnings).toEqual([]);
});

it("tries again after a 500 or 429, a little later each time", async () => {
  const { url, received } = await serve(500, 429, 200);
  const { notifier, warnings } = start(hook(url));
  notifier.notify(notice("a"));
  await notifier.close();
  expect(received).toHaveLength(3);
  const [first, second, third] = received.map(({ at }) => at) as [number, number, number];
  expect(second - first).toBeGreaterThanOrEqual(18);
  expect(third - second).toBeGreaterThanOrEqual(38);
  expect(warnings).toEqual([]);
});

it.each([
  [[500], "it answered 500, after 3 tries", 3],
  [[404], "it answered 404, after 1 try", 1],
  [[302], "it answered 302, after 1 try", 1],
  [["hang"], "no answer within 300 ms, after 3 tries", 3],
] as const)("gives up on %j with a warning that holds no secret", async (answers, reason, requests) => {
  const { url, received } = await serve(...answers);
  const { notifier, warnings } = start(hook(url));
  notifier.notify(notice("a"));
  await notifier.close();
  expect(received).toHaveLength(requests);
  expect(warnings).toEqual([`webhook HOOK_URL: ${reason}. Training continues; the record has what was not sent.`]);
});

it("if nothing listens says so, without the address", async () => {
  const { notifier, warnings } = start(hook("http://127.0.0.1:9/SECRETPATH"));
  notifier.notify(notice("a"));
  await notifier.close();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^webhook HOOK_URL: .*after 3 tries/);
  expect(warnings[0]).not.toMatch(/SECRET|127\.0\.0\.1/);
});

it("warns once while a webhook is down, and again when it is down again", async () => {
  const { url, received } = await serve(404, 404, 200, 404);
  const { notifier, warnings } = start(hook(url));
  for (const message of "abcd") notifier.notify(notice(message));
  await notifier.close();
  expect(received).toHaveLength(4);
  expect(warnings).toHaveLength(2);
});

it("a webhook that hangs neither delays the others nor the end", async () => {
  const [slow, quick] = [await serve("hang"), await serve(200)];
  const { notifier, warnings } = start(hook(slow.url, { timeoutMs: 60_000 }), hook(quick.url));
  for (let i = 0; i < 5; i++) notifier.notify(notice(`${i}`));
  await expect.poll(() => quick.received.length).toBe(5);
  await notifier.close(50);
  expect(warnings).toEqual([expect.stringContaining("the program ended before it answered")]);
});

it("an answer without an end is an answer", async () => {
  const { url, received } = await serve("endless");
  const { notifier, warnings } = start(hook(url));
  notifier.notify(notice("a"));
  notifier.notify(notice("b"));
  await notifier.close();
  expect(received).toHaveLength(2);
  expect(warnings).toEqual([]);
});

it("a queue that grows too long loses its newest, and says how many", async () => {
  const { url, received } = await serve(200);
  const { notifier, warnings } = start(hook(url));
  for (let i = 0; i < 250; i++) notifier.notify(notice(`${i}`));
  await notifier.close();
  expect(received).toHaveLength(200);
  expect(warnings).toEqual(["webhook HOOK_URL: works again; 50 notices were left out meanwhile"]);
});

it("sends an incident with its evidence, NaN as a word, and no prompt or response", async () => {
  const { url, received } = await serve(200);
  const incident = { ...incidentRecord(), id: 3, runId: "demo-1", attempt: 1, openedAt: 0, decision: null };
  const { notifier } = start(hook(url), hook(url, { samples: true }));
  notifier.notify({ ...notice("stopped"), incident });
  await notifier.close();
  const bodies = received.map(({ body }) => JSON.stringify(body));
  const without = bodies.find((body) => !body.includes("worstSamples"))!;
  const withSamples = bodies.find((body) => body.includes("worstSamples"))!;
  for (const word of ["what is 7", "script", "txet"]) expect(without).not.toContain(word);
  expect(withSamples).toContain("<script>alert(1)</script>");
  const { evidence } = JSON.parse(without).incident;
  expect(evidence.iterations[18].values["policy/grad_norm"]).toBe("NaN");
  expect(evidence.checkpoints.lastHealthy).toBe("checkpoint-000050");
  expect(without).not.toContain("/runs/a");
});
