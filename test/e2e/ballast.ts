/** The real program on a tiny pipeline: what the end-to-end tests share. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore } from "../../src/store/index.ts";
import { builtProgram } from "../support/built-package.ts";

/** The program, as a user of the package has it. */
export const bin = builtProgram;

/** The same from the checkout's sources, which it compiles as it starts. */
const sourceProgram = fileURLToPath(new URL("../../bin/ballast", import.meta.url));

/** Three stages in a few seconds. Checkpoints fall at uneven steps, so that a resumed run does not start at round numbers. */
const tinyConfig = `
objective: When asked to say two words, prefer the first over both.
name: tiny
threads: 1
model: {layers: 1, width: 16, heads: 2, context: 24}
tokenizer: {kind: word}
sft:
  data: {path: sft.jsonl}
  steps: 40
  batchSize: 16
  learningRate: 3.0e-3
  checkpointEvery: 7
  evaluateEvery: 10
reward:
  data: {path: pairs.jsonl}
  steps: 30
  batchSize: 16
  learningRate: 1.0e-3
  checkpointEvery: 6
  evaluateEvery: 10
  normalisationSamples: 32
ppo:
  prompts: {path: prompts.jsonl}
  iterations: 12
  sequences: 16
  minibatches: 2
  epochs: 2
  maxNewTokens: 8
  learningRate: 1.0e-3
  checkpointEvery: 5
  kl: {controller: ziegler, target: 0.05}
evaluation: {samples: 48}
# Steps this large would stop a real run.
control: {profile: adaptive, disable: [kl_hard, kl_step, ref_kl_hard, ref_drift_hard, reward_jump]}
`;

/** A folder with the configuration `tiny.yaml`, its data, and room for runs. The caller removes it. */
export function tinyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ballast-e2e-"));
  writeFileSync(join(folder, "tiny.yaml"), tinyConfig);
  const words = ["red", "blue", "green", "cat", "dog", "sun", "moon"];
  const pairs = words.flatMap((a) => words.map((b) => ({ prompt: `say ${a} ${b}`, a, b })));
  const jsonl = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(
    join(folder, "sft.jsonl"),
    jsonl(pairs.map(({ prompt, a, b }) => ({ prompt, completion: `${a} ${b}` }))),
  );
  writeFileSync(
    join(folder, "pairs.jsonl"),
    jsonl(pairs.map(({ prompt, a, b }) => ({ prompt, chosen: a, rejected: `${b} ${b}` }))),
  );
  writeFileSync(join(folder, "prompts.jsonl"), jsonl(pairs.map(({ prompt, a }) => ({ prompt, reference: a }))));
  return folder;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface Running {
  readonly child: ChildProcess;
  /** What it has written on stdout, and on stderr, so far. */
  readonly output: () => string;
  readonly notes: () => string;
  readonly ended: Promise<Ended>;
}

/** Starts the program in `cwd`. */
export function start(cwd: string, ...args: string[]): Running {
  return launch(cwd, [bin, ...args], {});
}

/** A line as a shell in `cwd` reads it. */
export function typed(cwd: string, line: string): Promise<Ended> {
  return launch(cwd, ["-c", line], { program: "/bin/sh" }).ended;
}

/** Starts it in a process group of its own, as a terminal does, and in a checkout of which nothing is compiled yet. */
export function startAsNew(cwd: string, ...args: string[]): Running {
  return launch(cwd, [sourceProgram, ...args], { detached: true, env: { TSX_DISABLE_CACHE: "1" } });
}

function launch(
  cwd: string,
  args: readonly string[],
  { program = process.execPath, detached = false, env = {} },
): Running {
  const startedAt = Date.now();
  const child = spawn(program, args, {
    cwd,
    detached,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) =>
      resolve({ code, signal, stdout, stderr, seconds: (Date.now() - startedAt) / 1000 }),
    );
  });
  return { child, output: () => stdout, notes: () => stderr, ended };
}

export function ballast(cwd: string, ...args: string[]): Promise<Ended> {
  return start(cwd, ...args).ended;
}

/** Resolves once stderr has a match. */
export async function seen(running: Running, pattern: RegExp): Promise<void> {
  let over = false;
  void running.ended.then(() => {
    over = true;
  });
  while (!pattern.test(running.notes())) {
    if (over) throw new Error(`ended before ${pattern}: ${running.notes()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Bytes of a stage's final model. */
export function weights(run: string, stage: string): Buffer {
  return readFileSync(join(run, stage, "final", "model.safetensors"));
}

/** Current metrics of a run by `stage/iteration/key`, but for times and memory. */
export function metricsOf(workspace: string, runId: string): Map<string, number> {
  const store = openStore(join(workspace, "ballast.db"), { readonly: true });
  try {
    const { rows } = store.metrics(runId, { current: true, limit: 1_000_000 });
    return new Map(
      rows
        .filter(({ key }) => !/^(time|machine)\//.test(key))
        .map(({ stage, iteration, key, value }) => [`${stage}/${iteration}/${key}`, value]),
    );
  } finally {
    store.close();
  }
}
