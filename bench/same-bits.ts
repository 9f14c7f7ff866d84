/**
 * `npm run same-bits [REVISION]`: trains small runs in this working tree and at a different revision (by default its parent) on this machine and
 * compares every weight and every metric except times. Code that only moves must not change a bit.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloneRevision, here } from "./revision.ts";

const [revision = "HEAD~1"] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "ballast-bits-"));

const mini = [
  ...["model.layers=2", "model.width=32", "model.heads=2", "sft.steps=30", "reward.steps=20"],
  ...["ppo.iterations=8", "ppo.sequences=32", "ppo.checkpointEvery=3", "evaluation.samples=32", "threads=1"],
];
/** Together these runs reach every loss, the controller's actions, probes, and both kinds of critic. */
const runs: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  steered: [
    ...[
      "ppo.criticKind=shared",
      "ppo.criticLearningRate=null",
      "ppo.valueCoef=0.5",
      "ppo.policyLoss=penalty",
      "ppo.penalty.controller=ziegler",
    ],
    ...["ppo.penalty.target=0.05", "ppo.kl.in=loss", "ppo.kl.controller=fixed"],
  ],
  faulty: [
    "control.profile=adaptive",
    "ppo.slowCritic={decay: 0.99}",
    "ppo.microBatch=3",
    "ppo.clipSchedule=phases",
    "faults=[lr-spike@3]",
  ],
};

interface Row {
  readonly stage: string;
  readonly iteration: number;
  readonly key: string;
  readonly value: number | string | null;
}

interface Result {
  readonly code: number | null;
  readonly weights: Readonly<Record<string, string>>;
  readonly metrics: ReadonlyMap<string, Row["value"]>;
}

function train(tree: string, name: string, settings: readonly string[]): Result {
  const workspace = join(work, `runs-${tree === here ? "new" : "old"}`);
  const args = ["run", join(tree, "examples/helpdesk/mini.yaml"), `name=${name}`, `workspace=${workspace}`];
  const { status, stderr } = spawnSync(join(tree, "bin/ballast"), [...args, ...mini, ...settings], {
    encoding: "utf8",
  });
  if (status !== 0 && status !== 3) throw new Error(`${name} in ${tree} ended with ${status}:\n${stderr}`);
  const folder = join(workspace, `${name}-1`);
  const weights: Record<string, string> = {};
  const finals = execFileSync("find", [folder, "-name", "*.safetensors"], { encoding: "utf8" }).trim().split("\n");
  for (const path of finals.sort())
    weights[path.slice(folder.length + 1)] = execFileSync("sha256sum", [path], { encoding: "utf8" }).split(" ")[0]!;
  const out = ["export", join(workspace, `${name}-1`), "--format", "jsonl"];
  const lines = execFileSync(join(tree, "bin/ballast"), out, { encoding: "utf8", maxBuffer: 2 ** 28 })
    .trim()
    .split("\n");
  const rows = lines.map((line) => JSON.parse(line) as Row).filter(({ key }) => !/^(time|machine)\//.test(key));
  return {
    code: status,
    weights,
    metrics: new Map(rows.map(({ stage, iteration, key, value }) => [`${stage}/${iteration}/${key}`, value])),
  };
}

function differences(a: Result, b: Result): string[] {
  const found: string[] = a.code === b.code ? [] : [`exit code ${a.code} -> ${b.code}`];
  for (const path of new Set([...Object.keys(a.weights), ...Object.keys(b.weights)]))
    if (a.weights[path] !== b.weights[path]) found.push(`weights ${path}`);
  for (const key of new Set([...a.metrics.keys(), ...b.metrics.keys()])) {
    const [x, y] = [a.metrics.get(key), b.metrics.get(key)];
    if (!Object.is(x, y)) found.push(`${key}: ${x} -> ${y}`);
  }
  return found;
}

const old = join(work, "old");
try {
  cloneRevision(revision, old);
  let failed = false;
  for (const [name, settings] of Object.entries(runs)) {
    const before = train(old, name, settings);
    const after = train(here, name, settings);
    const found = differences(before, after);
    failed ||= found.length > 0;
    const compared = `${Object.keys(after.weights).length} weight files, ${after.metrics.size} metrics`;
    console.log(`${name}: ${found.length === 0 ? "the same bits" : `${found.length} differences`} (${compared})`);
    for (const line of found.slice(0, 12)) console.log(`  ${line}`);
  }
  process.exitCode = failed ? 1 : 0;
} finally {
  rmSync(work, { recursive: true, force: true });
}
