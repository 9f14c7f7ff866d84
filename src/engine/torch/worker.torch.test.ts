/** The worker as a process: it answers while it computes, can be taken back, and says what it lacks, that it hangs, that it died, that it is full. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { randomPerToken, smallConfig } from "../../../test/support/engine.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine, torchPython } from "../../../test/support/torch.ts";
import { EngineError, UsageError } from "../../util/errors.ts";
import type { Engine, SampleRequest } from "../engine.ts";
import type { TorchEngine } from "./index.ts";
import { packageFolder } from "./torch-environment.ts";
import { WorkerProcess } from "./worker-process.ts";

const opened: Pick<Engine, "close">[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(options: Parameters<typeof torchEngine>[0] = {}): Promise<TorchEngine> {
  const engine = await torchEngine(options);
  opened.push(engine);
  return engine;
}

/** A Python that is a script around the real one. */
function wrapped(script: string): string {
  const path = join(temporaryFolder(), "python");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The real Python, which takes itself for a different version when it comes to the worker's start. */
function ofVersion(version: string): string {
  const start =
    "import runpy, sys; sys.version_info = (VERSION); runpy.run_module('ballast_torch', run_name='__main__')";
  return wrapped(`exec "${torchPython}" -c "${start.replace("VERSION", version)}"`);
}

/** The real Python, with a package torch that fails as PyTorch does without a library of CUDA's. */
function withBrokenTorch(): string {
  const folder = temporaryFolder();
  const failure = "libcudart.so.12: cannot open shared object file: No such file or directory";
  writeFileSync(join(folder, "torch.py"), `raise OSError("${failure}")\n`);
  return wrapped(`PYTHONPATH="${folder}:$PYTHONPATH" exec "${torchPython}" "$@"`);
}

const long = { ...smallConfig, context: 2048, width: 32, layers: 4 };
const sampling: SampleRequest = {
  ...{ prompts: [[1, 2]], maxNewTokens: 2000, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 },
};

const settled = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: Error) => error,
  );

describe("while it computes", () => {
  test("it answers pings, ends as soon as it is closed, and leaves no process", { timeout: startTimeout }, async () => {
    const engine = await open();
    const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
    const call = settled(engine.sample(id, sampling));
    let pong = await engine.worker.ping();
    for (let i = 0; i < 200 && pong.busy === null; i++) pong = await engine.worker.ping();
    expect(pong.busy?.verb).toBe("sample");
    expect(pong.residentMb).toBeGreaterThan(50);
    const { pid } = engine.worker;
    await engine.close();
    expect((await call)?.message).toMatch(/taken back|closed/);
    expect(() => process.kill(pid!, 0)).toThrow();
  });

  test("a call that is taken back ends as cancelled, and the next one is answered", {
    timeout: startTimeout,
  }, async () => {
    const engine = await open();
    const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
    const call = settled(engine.sample(id, sampling));
    engine.worker.cancel();
    expect((await call)?.message).toBe("sample was taken back");
    const { tokens } = await engine.sample(id, { ...sampling, maxNewTokens: 3 });
    expect(tokens[0]).toHaveLength(3);
  });
});

test("it tells how far it is while it samples, and what is thrown then leaves the call", {
  timeout: startTimeout,
}, async () => {
  const engine = await open();
  const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
  const told: (readonly [done: number, most: number])[] = [];
  await engine.sample(id, { ...sampling, maxNewTokens: 800 }, { onProgress: (...one) => told.push(one) });
  expect(told.length).toBeGreaterThan(0);
  for (const [i, [done, most]] of told.entries()) {
    expect(most).toBe(800);
    expect(done).toBeGreaterThan(told[i - 1]?.[0] ?? 0);
    expect(done).toBeLessThan(most);
  }
  const leave = () => {
    throw new Error("leaving");
  };
  await expect(engine.sample(id, sampling, { onProgress: leave })).rejects.toThrow("leaving");
  expect((await engine.sample(id, { ...sampling, maxNewTokens: 3 })).tokens[0]).toHaveLength(3);
});

describe("what stops it", () => {
  test("a worker that was killed, in a call and before one", { timeout: startTimeout }, async () => {
    const engine = await open();
    const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
    const call = settled(engine.sample(id, sampling));
    process.kill(engine.worker.pid!, "SIGKILL");
    const error = await call;
    expect(error).toBeInstanceOf(EngineError);
    expect(error?.message).toMatch(/was killed, probably because the machine ran out of memory/);
    expect((error as EngineError).hint).toMatch(/ballast resume RUN.*microBatch/);
    await expect(engine.zeroGrad(id)).rejects.toThrow("was killed");
  });

  test("a worker that hangs", { timeout: startTimeout }, async () => {
    const worker = new WorkerProcess({
      ...{ python: torchPython, packageFolder, threads: 1, remedy: "", pingEvery: 100, patience: 20_000 },
    });
    await worker.call("open", { protocol: 1, threads: 1, device: "cpu", dtype: "fp32" });
    process.kill(worker.pid!, "SIGSTOP");
    await expect(worker.call("usage")).rejects.toThrow(/has not answered for 2\d s/);
    await worker.close();
  });

  test("a call that does not move, although the worker answers pings", { timeout: startTimeout }, async () => {
    const { worker } = await open({ deadline: 2 });
    const error = await settled(worker.call("matmulRate", { size: 64, seconds: 600 }));
    expect(error).toBeInstanceOf(EngineError);
    expect(error?.message).toMatch(/answers, but its matmulRate has not moved for [2-9] s: it counts as hung/);
    expect((error as EngineError).hint).toMatch(/ballast resume RUN.*microBatch.*engine.deadline/);
  });

  test("no memory: the gradient is dropped, and the engine goes on", { timeout: startTimeout }, async () => {
    // Of address space; PyTorch itself takes some.
    const engine = await open({ python: wrapped(`ulimit -v 8000000; exec "${torchPython}" "$@"`) });
    const config = { ...smallConfig, vocabularySize: 60_000, context: 512 };
    const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
    const sequences = Array.from({ length: 128 }, (_, b) => ({
      tokens: Array.from({ length: 512 }, (_, t) => (b * 31 + t) % 60_000),
      start: 1,
    }));
    const loss = { name: "cross_entropy", sequences, weights: randomPerToken(sequences, "w") } as const;
    await engine.forwardBackward(id, { ...loss, sequences: sequences.slice(0, 1), weights: loss.weights.slice(0, 1) });
    const failure = (await settled(engine.forwardBackward(id, loss, { microBatch: 128 }))) as EngineError;
    expect(failure.message).toMatch(/forwardBackward: there was not enough memory on cpu/);
    expect(failure.hint).toMatch(
      /microBatch.*gradient accumulated since the last step was dropped. The weights and optimizers of all models are as/,
    );
    const step = { learningRate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, weightDecay: 0, maxGradNorm: null };
    await expect(engine.optimStep(id, step)).rejects.toThrow("no gradient was accumulated");
    const { nonFinite } = await engine.forwardBackward(id, {
      ...{ ...loss, sequences: sequences.slice(0, 2), weights: loss.weights.slice(0, 2) },
    });
    expect(nonFinite).toBe(0);
  });
});

describe("what it lacks is a sentence, with the command that mends it", () => {
  test.each<[string, object, RegExp, RegExp]>([
    [
      "a program",
      { python: "/nowhere/python" },
      /there is no Python at \/nowhere\/python/,
      /ballast engine setup torch/,
    ],
    [
      "PyTorch",
      { python: wrapped(`exec "${torchPython}" -S "$@"`) },
      /No module named/,
      /pip install -r .*requirements.txt/,
    ],
    [
      "PyTorch that loads",
      { python: withBrokenTorch() },
      /has PyTorch's packages, but they do not load: OSError: libcudart.so.12: cannot open shared object file/,
      /pip install -r .*requirements.txt/,
    ],
    [
      "an old Python",
      { python: ofVersion("3, 8, 18") },
      /Python 3.8 is too old: the PyTorch engine needs 3.11 or later/,
      /a Python of 3.11 or later.*ballast engine setup torch/,
    ],
    [
      "a Python, of a program that is none",
      { python: wrapped("echo 'no such option: -m' >&2; exit 2") },
      /the PyTorch worker ended with code 2 as it started: no such option: -m/,
      /^Set engine.python to a Python of 3.11 or later.*ballast engine setup torch/,
    ],
    ["CUDA", { device: "cuda" }, /device is cuda, and/, /nvidia-smi.*engine.device=cpu/],
    ["a device to offload from", { offload: "optimizer" }, /the device is cpu: weights/, /Remove engine.offload/],
    ["a word for resharding", { reshard: "never" as "step" }, /reshard is never; it must be pass or step/, /^$/],
    ["a device", { device: "toaster" }, /device is toaster, which PyTorch cannot open/, /engine.device/],
  ])(
    "%s",
    async (_, options, message, remedy) => {
      const error = (await settled(open(options))) as UsageError;
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toMatch(message);
      expect(error.hint ?? "").toMatch(remedy);
    },
    startTimeout,
  );

  test("a worker of a different version, and a Python that ends by itself", { timeout: startTimeout }, async () => {
    const worker = new WorkerProcess({ python: torchPython, packageFolder, threads: 1, remedy: "" });
    const hello = { protocol: 99, threads: 1, device: "cpu", dtype: "fp32" };
    await expect(worker.call("open", hello)).rejects.toThrow("speaks protocol 1, and Ballast protocol 99");
    await expect(worker.call("openSesame")).rejects.toThrow("the worker knows no openSesame");
    await worker.close();
    const broken = settled(open({ python: wrapped("echo 'segmentation of something' >&2; exit 3") }));
    expect((await broken)?.message).toBe(
      "the PyTorch worker ended with code 3 as it started: segmentation of something",
    );
  });
});
