/**
 * A run on a training server whose client is killed at any instant, and whose server is killed once: resumed, it has the rows of one that nobody
 * killed. The server is in this process; docs/servers.md says what was tried on real ones.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeModelConfig } from "../../src/models/hf-folder.ts";
import { FakeTinker, newDisk } from "../support/fake-tinker.ts";
import { sizes, tokenizer } from "../support/stage.ts";
import { ballast, type Ended, metricsOf, start } from "./ballast.ts";

/** The run's time is divided into this many parts, and in each a client is killed at a random instant; one in CI, 10 in `npm run test:full`. */
const parts = process.env.MODE === "full" ? 10 : 1;

const folder = mkdtempSync(join(tmpdir(), "ballast-server-kills-"));
const runs = join(folder, "runs");
let server = newServer();
let whole: Ended;

function newServer(disk = newDisk()): FakeTinker {
  const server = new FakeTinker(sizes, disk);
  // What dead clients hold is free only when their sessions end.
  server.slots = 100;
  return server;
}

beforeAll(async () => {
  const url = await server.start();
  const base = join(folder, "base");
  mkdirSync(base);
  writeModelConfig(base, { config: sizes, heads: ["lm"] });
  tokenizer.save(base);
  writeFileSync(join(folder, "prompts.jsonl"), '{"prompt": "a"}\n{"prompt": "b c"}\n{"prompt": "d"}\n');
  writeFileSync(
    join(folder, "server.yaml"),
    `objective: When asked for letters, prefer few over many.
name: server
engine: {kind: tinker, url: "${url}", model: tiny, backend: skyrl-jax}
model: {path: base}
lora: {rank: 4}
ppo:
  algorithm: rloo
  prompts: {path: prompts.jsonl}
  rewards: [{kind: length, max: 3}]
  iterations: 8
  sequences: 16
  maxNewTokens: 6
  learningRate: 0.05
  maxGradNorm: null
  checkpointEvery: 3
evaluation: {samples: 16}
# Steps this large would stop a real run.
control: {disable: [kl_hard, kl_step, ref_kl_hard, ref_drift_hard, reward_jump]}
`,
  );
  whole = await ballast(folder, "run", "server.yaml", "name=whole");
}, 60_000);

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

function begun(name: string): string | undefined {
  const ids = existsSync(runs) ? readdirSync(runs).filter((id) => id.startsWith(`${name}-`)) : [];
  return ids.find((id) => existsSync(join(runs, id, "config.json")));
}

/** Runs or resumes, and kills the client after so many seconds if it has not ended. */
async function killed(name: string, seconds: number): Promise<Ended> {
  const id = begun(name);
  const run = start(folder, ...(id ? ["resume", id] : ["run", "server.yaml", `name=${name}`]));
  const timer = setTimeout(() => run.child.kill("SIGKILL"), seconds * 1000);
  const ended = await run.ended;
  clearTimeout(timer);
  return ended;
}

it("learns when nobody kills it, and leaves no model on the server", () => {
  expect(whole.code, whole.stderr).toBe(0);
  expect(metricsOf(runs, "whole-1").size).toBeGreaterThan(200);
  expect(server.models.size).toBe(0);
});

it.each(Array.from({ length: parts }, (_, part) => part))(
  "the client is killed in part %i of the run, and once more after that",
  async (part) => {
    const name = `part${part}`;
    const instants = [whole.seconds * ((part + Math.random()) / parts), whole.seconds * Math.random()];
    let last: Ended | undefined;
    for (const seconds of [...instants, 120]) {
      last = await killed(name, seconds);
      if (last.code === 0) break;
      expect(last.signal, last.stderr).toBe("SIGKILL");
    }
    const where = `killed after ${instants.map((instant) => `${instant.toFixed(3)} s`).join(" and ")}\n${last?.stderr}`;
    expect(last?.code, where).toBe(0);
    expect(metricsOf(runs, begun(name)!), where).toEqual(metricsOf(runs, "whole-1"));
  },
  120_000,
);

it("the server is killed in the middle and started again on its disk", async () => {
  let restarted: Promise<unknown> = Promise.resolve();
  const restart = async () => {
    const before = server;
    const disk = newDisk();
    for (const [name, state] of before.states) disk.states.set(name, state);
    disk.models = 1000;
    const url = before.address;
    await before.stop();
    server = newServer(disk);
    await server.start(Number(new URL(url).port));
  };
  // Once a checkpoint is there.
  const watch = setInterval(() => {
    const id = begun("restart");
    if (id === undefined || !existsSync(join(runs, id, "ppo", "checkpoint-000003"))) return;
    clearInterval(watch);
    restarted = restart();
  }, 10);
  const first = await killed("restart", 100);
  clearInterval(watch);
  await restarted;
  if (first.code !== 0) {
    expect(first.stderr).toMatch(/the server does not (have what \w+ needs|know the operation \w+) any more/);
    expect(first.stderr).toContain("resume restart-1");
    const second = await killed("restart", 100);
    expect(second.code, second.stderr).toBe(0);
  }
  expect(metricsOf(runs, "restart-1")).toEqual(metricsOf(runs, "whole-1"));
}, 200_000);
