/** The audit: everything in one bundle, faults named and counted in the exit code, heads looked up. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import { incidentRecord } from "../../../../test/support/incident.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { sealRun } from "../../../config/run-manifest.ts";
import { writeFolder } from "../../../trainer/atomic-folder.ts";
import { audit } from "./index.ts";
import { notReproducible } from "./not-reproducible.ts";

const machine = { cpu: "A CPU", threads: 2, engine: "embedded", platform: "linux-x64", versions: { node: "20.1.0" } };

/** A run with an operator's command, decision and rating, a checkpoint, and a setting that the command changed. */
async function audited() {
  const run = workspaceWithRun();
  const { store, folder } = run;
  await sealRun(folder, { begins: true });
  const attempt = store.startAttempt("tiny-1", { operator: "ann", machine: JSON.stringify(machine) });
  const recorder = store.recorder("tiny-1", attempt);
  for (const iteration of [0, 1, 2]) {
    recorder.metrics("ppo", iteration, { "reward/score_mean": iteration });
    recorder.commit();
  }
  const command = store.addCommand("tiny-1", {
    ...{ kind: "set", payload: { key: "ppo.kl.coef", value: 0.1 }, reason: "KL <b>grows</b>", operator: "bob" },
  });
  recorder.markApplied(command, "ppo", 3);
  recorder.setting({ stage: "ppo", iteration: 3, key: "ppo.kl.coef", before: 0.05, value: 0.1, cause: "operator" });
  recorder.incident(incidentRecord());
  store.decide(1, { action: "stop", to: null, changes: [], reason: "enough" }, { operator: "cleo" });
  store.addRating("tiny-1", { kind: "rating", prompt: "secret", response: "r", rater: "dan", score: 5 });
  const head = recorder.head();
  await writeFolder({
    ...{ folder: join(folder, "ppo", "checkpoint-000003"), state: { own: { rewardHash: "abc" } }, head },
    write: async (to) => writeFileSync(join(to, "weights"), "w"),
  });
  recorder.state("stopped");
  recorder.close();
  const terminal = keptTerminal();
  const check = async (options: object = {}) => {
    terminal.lines.length = 0;
    const code = await audit({ run: "tiny-1", workspace: run.workspace, terminal, ...options });
    return { code, text: terminal.lines.join("\n") };
  };
  const tamper = (sql: string) => {
    const raw = new Database(store.path);
    raw.exec(sql);
    raw.close();
  };
  return { ...run, check, tamper, head: store.chainHead("tiny-1")!, earlier: head! };
}

it("writes one bundle with every name, value and hash, and no prompt", async () => {
  const { check, folder, head } = await audited();
  const { code, text } = await check({ as: "eve" });
  expect([code, text]).toEqual([0, expect.stringContaining(`Head: ${head}`)]);
  expect(text).toContain("1 of 1 head in checkpoints and results is in the chain.");
  const json = readFileSync(join(folder, "audit", "audit.json"), "utf8");
  expect(text).toContain(createHash("sha256").update(json).digest("hex"));
  expect(json).not.toContain("secret");
  expect(JSON.parse(json)).toMatchObject({
    made: { by: "eve" },
    faults: [],
    record: { head },
    rewardCode: "abc",
    attempts: [{ operator: "ann", machine }],
    commands: [{ operator: "bob", appliedIteration: 3 }],
    settings: [{ key: "ppo.kl.coef", before: 0.05, value: 0.1, cause: "operator", operator: "bob" }],
    incidents: [{ decision: { operator: "cleo", reason: "enough" } }],
    ratings: [{ rater: "dan" }],
    replay: { same: null, why: expect.stringContaining("no PPO iterations") },
    folders: [
      { folder: ".", difference: null },
      { folder: "ppo/checkpoint-000003", difference: null },
    ],
  });
  const page = readFileSync(join(folder, "audit", "audit.html"), "utf8");
  for (const shown of ["KL &lt;b&gt;grows&lt;/b&gt;", "cleo", "A CPU", "ppo.kl.coef", head])
    expect(page).toContain(shown);
});

describe("--verify", () => {
  it("writes nothing, and takes a head or a bundle", async () => {
    const { check, folder, workspace, head, earlier } = await audited();
    expect((await check({ verify: true, head: earlier })).code).toBe(0);
    expect(existsSync(join(folder, "audit"))).toBe(false);
    const output = join(workspace, "evidence");
    await check({ output });
    expect((await check({ verify: true, head: join(output, "audit.json") })).text).toContain(
      "that you noted was sealed",
    );
    const other = "0".repeat(64);
    expect(await check({ verify: true, head: other })).toMatchObject({
      code: 1,
      text: expect.stringContaining(`lacks the head ${other}`),
    });
    await expect(check({ verify: true, head: head.slice(1) })).rejects.toThrow("neither a head nor an audit.json");
  });

  it("names a changed row, and a record that was sealed anew", async () => {
    const { check, tamper, store } = await audited();
    tamper("UPDATE metrics SET value = 9 WHERE seq = 2");
    const changed = await check({ verify: true });
    expect(changed.code).toBe(1);
    expect(changed.text).toMatch(/DOES NOT FIT.*metrics row 2: changed/s);
    expect(changed.text).not.toContain("Keep the head");
    tamper("DELETE FROM seals");
    store.addMark("tiny-1", { kind: "tag", value: "x", present: true });
    const { code, text } = await check({ verify: true, json: true });
    expect([code, JSON.parse(text)]).toMatchObject([1, { fits: false, seals: 1, before: { metrics: 3 } }]);
    expect(text).toContain("ppo/checkpoint-000003 was written when the record's head was");
  });

  it("names a file that is not as written", async () => {
    const { check, folder } = await audited();
    writeFileSync(join(folder, "ppo", "checkpoint-000003", "weights"), "v");
    expect(await check({ verify: true })).toMatchObject({
      code: 1,
      text: expect.stringContaining("ppo/checkpoint-000003: weights has other contents than were written"),
    });
  });

  it("of a run without a chain says so", async () => {
    const { check, tamper } = await audited();
    tamper("DELETE FROM seals");
    expect((await check({ verify: true })).text).toContain("The record has no chain");
  });
});

it("says which bits cannot be reproduced elsewhere", () => {
  const whole = { ...machine, memoryGb: 24, logicalCores: 2 };
  const facts = { config: { engine: { kind: "embedded" } } as never, machine: whole, commands: [] };
  const [same] = notReproducible({ ...facts, attempts: [{ attempt: 1, machine: whole }] });
  for (const fact of ["A CPU", "2 threads", "linux-x64", "node 20.1.0", "24 GiB"]) expect(same).toContain(fact);
  const moved = notReproducible({ ...facts, attempts: [{ attempt: 2, machine: { ...whole, threads: 4 } }] });
  expect(moved.join()).toContain(
    "Attempt 2 ran elsewhere, and no single machine repeats the run: the run began with threads 2, this is 4",
  );
});
