/** The endpoint: what Prometheus reads, who may ask, and that no text breaks the format. */
import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import fc from "../../test/support/property.ts";
import { runRecord, temporaryStore } from "../../test/support/store.ts";
import { createApp } from "./app.ts";
import { listen } from "./listen.ts";
import { exposition } from "./prometheus.ts";

const start = 1_700_000_000_000;

function recorded() {
  const clock = { now: start };
  const store = temporaryStore({ now: () => clock.now });
  store.createRun({ ...runRecord("a-1"), createdAt: start, objective: 'prefer "x"\nover \\ y' });
  store.createRun({ ...runRecord("old-1"), createdAt: start - 30 * 86_400_000 });
  const recorder = store.recorder("a-1", store.startAttempt("a-1"));
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.1 + 0.2, -1e-9];
  const [nan, up, down, sum, small] = values as [number, number, number, number, number];
  recorder.metrics("sft", 9, { "sft/loss": sum });
  recorder.metrics("ppo", 0, { "reward/score_mean": 5 });
  recorder.metrics("ppo", 1, { "reward/score_mean": nan, "policy/grad_norm": up, "kl/ref": down, "kl.ref": small });
  const alert = (tier: number) =>
    recorder.event({
      kind: "alert",
      stage: "ppo",
      iteration: 1,
      message: "m",
      data: { alert: { tier, values: [nan] } },
    });
  for (const tier of [2, 3, 3]) alert(tier);
  recorder.event({ kind: "alert", stage: "ppo", iteration: 1, message: "without data" });
  recorder.incident(incidentRecord());
  const app = createApp(store, { now: () => clock.now });
  const get = (path: string, host = "localhost:9464") => app.request(`http://localhost${path}`, { headers: { host } });
  const lines = async () => (await (await get("/metrics")).text()).split("\n");
  return { store, recorder, clock, app, get, lines };
}

describe("/metrics", () => {
  it("has the newest values with run and stage, and NaN and infinities as the format writes them", async () => {
    const { get, lines } = recorded();
    const response = await get("/metrics");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const all = await lines();
    expect(all).toContain('ballast_sft_loss{run="a-1",stage="sft",key="sft/loss"} 0.30000000000000004');
    expect(all).toContain('ballast_reward_score_mean{run="a-1",stage="ppo",key="reward/score_mean"} NaN');
    expect(all).toContain('ballast_policy_grad_norm{run="a-1",stage="ppo",key="policy/grad_norm"} +Inf');
    expect(all.filter((line) => line.startsWith("ballast_kl_ref{"))).toEqual([
      'ballast_kl_ref{run="a-1",stage="ppo",key="kl/ref"} -Inf',
      'ballast_kl_ref{run="a-1",stage="ppo",key="kl.ref"} -1e-9',
    ]);
    expect(all.filter((line) => line === "# TYPE ballast_kl_ref gauge")).toHaveLength(1);
    expect(all).toContain('ballast_run_info{run="a-1",objective="prefer \\"x\\"\\nover \\\\ y"} 1');
    expect(all.at(-1)).toBe("");
  });

  it("has state, age of the heartbeat and what the controller said, by tier", async () => {
    const { clock, lines, recorder } = recorded();
    clock.now += 7_500;
    const all = await lines();
    expect(all).toContain('ballast_run_state{run="a-1",state="running"} 1');
    expect(all).toContain('ballast_run_state{run="a-1",state="lost"} 0');
    expect(all).toContain('ballast_run_heartbeat_age_seconds{run="a-1"} 7.5');
    expect(all).toContain('ballast_run_iteration{run="a-1",stage="ppo"} 1');
    expect(all).toContain("# TYPE ballast_alerts_total counter");
    expect([1, 2, 3].map((tier) => all.includes(`ballast_alerts_total{run="a-1",tier="${tier}"} ${tier - 1}`))).toEqual(
      [true, true, true],
    );
    expect(all).toContain('ballast_interventions_total{run="a-1",tier="1"} 0');
    expect(all).toContain('ballast_incidents_open{run="a-1"} 1');
    clock.now += 60_000;
    expect(await lines()).toContain('ballast_run_state{run="a-1",state="lost"} 1');
    recorder.state("done");
    expect(await lines()).toContain('ballast_run_state{run="a-1",state="done"} 1');
  });

  it("counts on over resumes, and shows the newest attempt's values", async () => {
    const { store, lines } = recorded();
    const second = store.recorder("a-1", store.startAttempt("a-1", { begins: { stage: "ppo", iteration: 1 } }));
    second.metrics("ppo", 1, { "reward/score_mean": 6 });
    second.event({ kind: "alert", stage: "ppo", iteration: 1, message: "m", data: { alert: { tier: 3 } } });
    second.commit();
    const all = await lines();
    expect(all).toContain('ballast_alerts_total{run="a-1",tier="3"} 3');
    expect(all).toContain('ballast_reward_score_mean{run="a-1",stage="ppo",key="reward/score_mean"} 6');
    expect(all).toContain('ballast_run_attempt{run="a-1"} 2');
  });

  it("leaves out runs that are long over", async () => {
    const { clock, lines } = recorded();
    expect((await lines()).join()).not.toContain("old-1");
    clock.now += 25 * 3_600_000;
    expect(await lines()).toEqual([""]);
  });
});

describe("who may ask", () => {
  it.each(["localhost", "localhost:9464", "127.0.0.1:1", "[::1]:9464", "LOCALHOST:80"])("%s may", async (host) => {
    expect((await recorded().get("/metrics", host)).status).toBe(200);
  });

  it.each(
    [
      [
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost:",
        "a@localhost",
      ],
      [
        "localhost:123456",
        "xlocalhost",
        "127.0.0.2",
        "0.0.0.0:9464",
        "localhost, evil.example",
        "localhost evil.example",
      ],
    ].flat(),
  )("%j may not, on any path", async (host) => {
    const { get } = recorded();
    for (const path of ["/metrics", "/", "/none"]) {
      const response = await get(path, host);
      expect(response.status).toBe(403);
      expect(await response.text()).not.toContain("a-1");
    }
  });

  it("other paths and methods lead nowhere", async () => {
    const { get, app } = recorded();
    const response = await get("/none");
    expect([response.status, await response.text()]).toEqual([
      404,
      "Prometheus finds its metrics at /metrics, the dashboard at /.\n",
    ]);
    const posted = await app.request("http://localhost/metrics", { method: "POST", headers: { host: "localhost" } });
    expect(posted.status).toBe(404);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

describe("on a port", () => {
  it("listens only on 127.0.0.1, and checks the host that was sent", async () => {
    const { app } = recorded();
    const server = await listen(app, { port: 0 });
    onTestFinished(() => server.close());
    const ask = (headers: Record<string, string>, host = "127.0.0.1") =>
      new Promise<number | string>((resolve) =>
        request({ host, port: server.port, path: "/metrics", headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
          .on("error", (error: NodeJS.ErrnoException) => resolve(error.code!))
          .end(),
      );
    expect(await ask({})).toBe(200);
    expect(await ask({ host: "evil.example" })).toBe(403);
    expect(await ask({}, "127.0.0.2")).toBe("ECONNREFUSED");
    // A complete address in the request line must not replace the header.
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () =>
        socket.write("GET http://localhost/metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
      );
      socket.once("data", (data) => resolve(String(data).split("\r\n")[0]!));
    });
    expect(answer).toContain(" 403 ");
  });

  it("that is taken says so", async () => {
    const { app } = recorded();
    const server = await listen(app, { port: 0 });
    onTestFinished(() => server.close());
    await expect(listen(app, { port: server.port })).rejects.toThrow(`port ${server.port} is in use`);
  });
});

it("no label breaks its line", () => {
  const any = fc.string({
    unit: fc.oneof(fc.constantFrom(...'\\"\n{}= \r\ud800'), fc.string({ unit: "binary", maxLength: 1 })),
  });
  fc.assert(
    fc.property(any, (text) => {
      const family = { name: "x", help: text, type: "gauge", samples: [{ labels: { a: text }, value: 1 }] } as const;
      const lines = exposition([family]).split("\n");
      expect(lines).toHaveLength(4);
      const [, label] = /^x\{a="((?:[^"\\]|\\[\\n"])*)"\} 1$/.exec(lines[2]!)!;
      const read = label!.replace(/\\(.)/gs, (_, c) => (c === "n" ? "\n" : c));
      expect(read).toBe(text.replace(/\p{Surrogate}/gu, "\ufffd"));
    }),
  );
});
