/** The Tinker engine on a server in this process: what every engine does, and each way in which a server may fail. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { smallConfig } from "../../../test/support/engine.ts";
import { FakeTinker, newDisk } from "../../../test/support/fake-tinker.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { writeModelConfig } from "../../models/hf-folder.ts";
import { checks, lackedBy } from "../conformance/engine-conformance.ts";
import type { Engine, OptimStepRequest, PolicyLoss } from "../engine.ts";
import { createTinkerEngine, groupsOf, type TinkerEngineOptions } from "./index.ts";
import { backends } from "./tinker-backends.ts";
import { defaultLimits } from "./tinker-client.ts";
import { requestsOf } from "./tinker-model.ts";

const adapter = { rank: 4, alpha: 32 };
const adam: OptimStepRequest = {
  ...{ learningRate: 0.05, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0, maxGradNorm: null },
};
const sequences = [
  { tokens: [4, 6, 7, 8, 6], start: 2 },
  { tokens: [5, 5, 10, 11, 3, 2, 7, 9], start: 3 },
];
const ones = (value = 1) => sequences.map(({ tokens, start }) => tokens.slice(start).map(() => value));

function baseFolder(): string {
  const folder = temporaryFolder();
  writeModelConfig(folder, { config: smallConfig, heads: ["lm"] });
  return folder;
}

/** An open engine on a new server. */
async function opened({
  prepare = () => {},
  disk = newDisk(),
  options = {},
}: {
  readonly prepare?: (server: FakeTinker) => void;
  readonly disk?: ReturnType<typeof newDisk>;
  readonly options?: Partial<TinkerEngineOptions>;
} = {}) {
  const server = new FakeTinker(smallConfig, disk);
  prepare(server);
  const url = await server.start();
  onTestFinished(() => server.stop().catch(() => {}));
  const base = baseFolder();
  const engine = await createTinkerEngine({
    ...{ url, model: "tiny", backend: "skyrl-jax", base, patience: 300 },
    ...options,
  });
  onTestFinished(() => engine.close());
  const policy = () => engine.loadModel(base, { adapter });
  return { server, url, base, engine, policy };
}

describe.each(["skyrl-jax", "hosted"] as const)("on a server like %s", (backend) => {
  const server = new FakeTinker(smallConfig);
  server.slots = 100;
  server.reduction = backend === "hosted" ? "sum" : "means";
  let engine: Engine;
  let base: string;
  beforeAll(async () => {
    base = baseFolder();
    engine = await createTinkerEngine({ url: await server.start(), model: "tiny", backend, base });
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
  });
  const policy = (on: Engine, seed: number) => on.loadModel(base, { adapter, seed });
  const expectations = { tolerance: 1e-6, config: smallConfig, folder: temporaryFolder, policy };
  const { capabilities } = backends[backend];
  const possible = checks.filter(({ needs }) => lackedBy(capabilities, needs).length === 0);
  test.each(possible)("$name", ({ run }) => run(engine, expectations));
});

test("the loss is a sum of weighted terms on servers that take means and on those that take sums", async () => {
  const norms: number[] = [];
  for (const reduction of ["means", "sum"] as const) {
    const { engine, policy } = await opened({
      prepare: (server) => Object.assign(server, { reduction }),
      options: { backend: reduction === "sum" ? "skyrl-train" : "skyrl-jax" },
    });
    const { id } = await policy();
    const { logprobs } = await engine.forward(id, { sequences, outputs: ["logprobs"] });
    const loss: PolicyLoss = {
      ...{ name: "policy", sequences, weights: ones(0.3), oldLogprobs: logprobs, advantages: ones(0.7) },
      config: { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 },
    };
    await engine.forwardBackward(id, loss);
    await engine.forwardBackward(id, { ...loss, advantages: ones(-2) });
    norms.push((await engine.optimStep(id, { ...adam, learningRate: 0 })).gradNorm!);
  }
  expect(norms[0]).toBeGreaterThan(0.1);
  expect(norms[0]).toBeCloseTo(norms[1]!, 5);
});

test("a dropped gradient never reaches the server, nor does one that is not finite", async () => {
  const { server, engine, policy } = await opened();
  const { id } = await policy();
  const backward = () => server.asked.filter(({ path }) => path === "forward_backward").length;
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
  const before = backward();
  await engine.zeroGrad(id);
  const { nonFinite } = await engine.forwardBackward(id, {
    name: "cross_entropy",
    sequences,
    weights: ones(Number.NaN),
  });
  expect(nonFinite).toBeGreaterThan(0);
  expect(await engine.optimStep(id, adam)).toEqual({ gradNorm: Number.NaN, skipped: true });
  // Both were forward passes.
  expect(backward()).toBe(before + 1);
  expect(server.asked.some(({ path }) => path === "optim_step")).toBe(false);
});

test("a copy takes a slot only when it is used, and its state is deleted with it", async () => {
  const disk = newDisk();
  const { server, engine, policy } = await opened({ disk });
  const { id } = await policy();
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
  await engine.optimStep(id, adam);
  const kept = await engine.cloneModel(id, { optimizer: true });
  expect([server.models.size, disk.states.size]).toEqual([1, 1]);
  const again = await engine.cloneModel(id, { optimizer: true, into: kept.id });
  expect([server.models.size, disk.states.size]).toEqual([1, 1]);
  await engine.forward(again.id, { sequences, outputs: ["logprobs"] });
  expect(server.models.size).toBe(2);
  await engine.disposeModel(again.id);
  expect([server.models.size, disk.states.size]).toEqual([1, 0]);
});

test("a state that was saved stays when the copy that it was saved from goes", async () => {
  const disk = newDisk();
  const { engine, policy } = await opened({ disk });
  const { id } = await policy();
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
  await engine.optimStep(id, adam);
  const kept = await engine.cloneModel(id);
  const state = await engine.saveModel(kept.id, temporaryFolder());
  await engine.disposeModel(kept.id);
  const { id: loaded } = await engine.loadModel(state);
  const of = async (model: string) => (await engine.forward(model, { sequences, outputs: ["logprobs"] })).logprobs;
  expect(await of(loaded)).toEqual(await of(id));
});

test("a copy of a copy keeps the state that both began from, and deletes it in the end", async () => {
  const disk = newDisk();
  const { engine, policy } = await opened({ disk });
  const { id } = await policy();
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
  await engine.optimStep(id, adam);
  const kept = await engine.cloneModel(id, { optimizer: true });
  const again = await engine.cloneModel(kept.id, { optimizer: true });
  await engine.disposeModel(kept.id);
  const of = async (model: string) => (await engine.forward(model, { sequences, outputs: ["logprobs"] })).logprobs;
  expect(await of(again.id)).toEqual(await of(id));
  await engine.disposeModel(again.id);
  expect(disk.states.size).toBe(0);
});

test("a state that nobody names any more is deleted with the model that still is it", async () => {
  const disk = newDisk();
  const { engine, policy } = await opened({ disk });
  const state = await engine.saveModel((await policy()).id, temporaryFolder());
  const { id } = await engine.loadModel(state);
  const kept = await engine.cloneModel(id);
  await engine.deleteState!(state);
  await engine.disposeModel(id);
  expect((await engine.forward(kept.id, { sequences, outputs: ["logprobs"] })).logprobs).toHaveLength(2);
  await engine.disposeModel(kept.id);
  expect(disk.states.size).toBe(0);
});

test("a model that begins from somebody's state is saved as a state of its own, without moments that it never had", async () => {
  const disk = newDisk();
  const { engine, policy } = await opened({ disk });
  const step = async (model: string) => {
    await engine.forwardBackward(model, { name: "cross_entropy", sequences, weights: ones() });
    await engine.optimStep(model, adam);
    return (await engine.forward(model, { sequences, outputs: ["logprobs"] })).logprobs;
  };
  const { id } = await policy();
  for (let i = 0; i < 3; i++) await step(id);
  const somebodys = await engine.saveModel(id, temporaryFolder(), { optimizer: true });
  await engine.disposeModel(id);
  const { id: begun } = await engine.loadModel(somebodys);
  const saved = await engine.saveModel(begun, temporaryFolder(), { optimizer: true });
  const kept = await engine.cloneModel(begun, { optimizer: true });
  expect(saved).not.toBe(somebodys);
  const { id: resumed } = await engine.loadModel(saved, { optimizer: true });
  const first = await step(begun);
  expect(await step(resumed)).toEqual(first);
  await engine.disposeModel(resumed);
  expect(await step(kept.id)).toEqual(first);
  await engine.disposeModel(kept.id);
  await engine.deleteState!(saved);
  expect([...disk.states.keys()]).toEqual([somebodys]);
});

test("every model is unloaded when the engine closes", async () => {
  const { server, engine, policy } = await opened();
  await policy();
  await policy();
  expect(server.models.size).toBe(2);
  await engine.close();
  expect(server.models.size).toBe(0);
});

test("a request is tried again after 408, 429, 5xx and a lost connection with one idempotency key, and after nothing else", async () => {
  const { server, engine, policy } = await opened({ options: { patience: 20_000 } });
  const { id } = await policy();
  // In two calls: the pauses grow.
  for (const troubles of [
    [429, "cut"],
    [503, 408],
  ] as const) {
    let next = 0;
    server.trouble = (path) => (path === "forward_backward" ? troubles[next++] : undefined);
    server.asked.length = 0;
    await engine.forward(id, { sequences, outputs: ["logprobs"] });
    const sent = server.asked.filter(({ path }) => path === "forward_backward");
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map(({ headers }) => headers["x-idempotency-key"])).size).toBe(1);
  }
  server.trouble = (path) => (path === "forward_backward" ? 409 : undefined);
  server.asked.length = 0;
  await expect(engine.forward(id, { sequences, outputs: ["logprobs"] })).rejects.toThrow("409");
  expect(server.asked.filter(({ path }) => path === "forward_backward")).toHaveLength(1);
}, 20_000);

test.each([
  ...["save_weights", "save_weights_for_sampler", "unload_model", "optim_step"],
  ...["load_weights", "asample", "forward_backward", "create_model"],
])(
  "an answer to %s that is lost after the work leaves nothing undone, and nothing behind but a model without a name",
  async (lost) => {
    const { server, engine, policy } = await opened();
    const { id } = await policy();
    let once = true;
    server.trouble = (path) => {
      if (path !== lost || !once) return undefined;
      once = false;
      return "lost";
    };
    await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
    await engine.optimStep(id, adam);
    const sampling = { maxNewTokens: 3, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 };
    expect((await engine.sample(id, { ...sampling, prompts: [[1]] })).tokens[0]).toHaveLength(3);
    const kept = await engine.cloneModel(id, { optimizer: true });
    const logprobs = async (model: string) =>
      (await engine.forward(model, { sequences, outputs: ["logprobs"] })).logprobs;
    expect(await logprobs(kept.id)).toEqual(await logprobs(id));
    await engine.disposeModel(kept.id);
    const nameless = Number(lost === "create_model");
    expect(server.models.size).toBe(1 + nameless);
    await engine.close();
    expect(server.models.size).toBe(nameless);
    expect(once).toBe(false);
  },
  10_000,
);

test("a model that the server has yet to make is unloaded when the engine closes", async () => {
  const { server, engine, policy } = await opened();
  let release = () => {};
  server.hold = new Promise((go) => {
    release = () => go(undefined);
  });
  const made = policy().catch(() => null);
  await vi.waitUntil(() => server.asked.some(({ path }) => path === "create_model"));
  const closed = engine.close();
  await vi.waitUntil(() => server.asked.some(({ path }) => path === "unload_model"));
  release();
  await closed;
  await made;
  await vi.waitUntil(() => server.made === 1 && server.models.size === 0);
});

test("a step whose numbers are not finite in float32, or whose rate is none, never reaches the server", async () => {
  const { server, engine, policy } = await opened();
  const { id } = await policy();
  const steps = () => server.asked.filter(({ path }) => path === "optim_step").length;
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones(1e39) });
  expect(await engine.optimStep(id, adam)).toEqual({ gradNorm: Number.NaN, skipped: true });
  await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
  await expect(engine.optimStep(id, { ...adam, learningRate: Number.NaN })).rejects.toThrow("learning_rate is NaN");
  expect(steps()).toBe(0);
});

describe("each failure is a sentence", () => {
  const failing = (prepare: (server: FakeTinker) => void, options: Partial<TinkerEngineOptions> = {}) =>
    expect(opened({ prepare, options })).rejects;

  test("no server", () => failing(() => {}, { url: "http://127.0.0.1:9" }).toThrow(/127.0.0.1:9 cannot be reached/));

  test("a different server", () =>
    failing((server) => {
      server.trouble = () => 404;
    }).toThrow(/answers, but not as a server of Tinker's protocol/));

  test("a different base model, by the list and by the result", async () => {
    await failing((server) => {
      server.served = ["large", "larger"];
    }).toThrow("does not serve tiny");
    const { policy } = await opened({
      prepare: (server) => {
        server.served = [];
        server.baseModel = "large";
      },
    });
    await expect(policy()).rejects.toThrow("the server trains large, and engine.model is tiny");
  });

  test("a key that is refused, or is not there; the key itself is never said", async () => {
    process.env.TINKER_TEST_KEY = "secret-word";
    onTestFinished(() => void delete process.env.TINKER_TEST_KEY);
    const secret = (server: FakeTinker) => {
      server.key = "a different one";
    };
    const error = await opened({ prepare: secret, options: { keyEnv: "TINKER_TEST_KEY" } }).catch((error) => error);
    expect(error.message).toContain("the key in TINKER_TEST_KEY was refused");
    expect(JSON.stringify([error.message, error.hint, error.stack])).not.toContain("secret-word");
    await failing(secret).toThrow("no key was sent");
    await failing(() => {}, { keyEnv: "TINKER_NO_SUCH_KEY" }).toThrow("TINKER_NO_SUCH_KEY");
  });

  test("no slot left", async () => {
    const { policy } = await opened({
      prepare: (server) => {
        server.slots = 1;
      },
    });
    await policy();
    const error = await policy().catch((error) => error);
    expect(error.message).toContain("no adapter slot left");
    expect(error.hint).toMatch(/at least 3.*name was lost with the answer to create_model/);
  });

  test("a rank beyond the server's", async () => {
    const { engine, base } = await opened();
    await expect(engine.loadModel(base, { adapter: { rank: 9, alpha: 32 } })).rejects.toThrow("between 1 and 8");
    await expect(engine.loadModel(base, { adapter: { rank: 4, alpha: 8 } })).rejects.toThrow("alpha 32");
  });

  test("a server that is gone in the middle, and one that was started anew", async () => {
    const disk = newDisk();
    const { server, url, engine, policy } = await opened({ disk });
    const { id } = await policy();
    await server.stop();
    const gone = await engine.forward(id, { sequences, outputs: ["logprobs"] }).catch((error) => error);
    expect(gone.message).toContain("cannot be reached");
    expect(gone.hint).toContain("ballast resume");
    const next = new FakeTinker(smallConfig, disk);
    await next.start(Number(new URL(url).port));
    onTestFinished(() => next.stop());
    await expect(engine.forward(id, { sequences, outputs: ["logprobs"] })).rejects.toThrow("not loaded");
  });

  test("a session gives a sign of life before anything else: servers count silence from the first one", async () => {
    const { server } = await opened();
    const paths = server.asked.map(({ path }) => path);
    expect(paths[paths.indexOf("create_session") + 1]).toBe("session_heartbeat");
  });

  test("a session that the server has ended", async () => {
    const { server, engine, policy } = await opened({ options: { heartbeat: 10 } });
    const { id } = await policy();
    server.expire();
    // The next sign of life finds it out.
    const heard = server.asked.length;
    await vi.waitUntil(() => server.asked.slice(heard).some(({ path }) => path === "session_heartbeat"));
    await vi.waitFor(async () => {
      const error = await engine.forward(id, { sequences, outputs: ["logprobs"] }).catch((error) => error);
      expect(error.message).toMatch(/^the session has expired on the server, which has dropped its models/);
      expect(error.hint).toContain("ballast resume");
    });
  });

  test("a protocol of a different version", async () => {
    const { server, engine, policy } = await opened();
    const { id } = await policy();
    server.trouble = (path) => (path === "forward_backward" ? 415 : undefined);
    const error = await engine.forward(id, { sequences, outputs: ["logprobs"] }).catch((error) => error);
    expect(error.message).toContain("does not read forward_backward");
    expect(error.hint).toContain("different version");
  });

  test("a state that the server does not have, and one that it does not tell of now", async () => {
    const { server, engine } = await opened();
    const load = () => engine.loadModel("tinker://model_9/weights/none");
    await expect(load()).rejects.toThrow("has no state");
    server.trouble = (path) => (path === "weights_info" ? 402 : undefined);
    await expect(load()).rejects.toThrow(/^the service asks for payment \(402\)/);
    server.trouble = (path) => (path === "weights_info" ? 429 : undefined);
    await expect(load()).rejects.toThrow(/^the server answered weights_info with 429/);
  });

  test("a folder that is not the base model", async () => {
    const { engine } = await opened();
    await expect(engine.loadModel(baseFolder(), { adapter })).rejects.toThrow("the server cannot read the model in");
  });

  test("results with numbers that are not finite, and passes that disagree", async () => {
    const { server, engine, policy } = await opened();
    const { id } = await policy();
    server.distort = (rows) => rows.map((row) => row.map(() => Number.NaN));
    const error = await engine.forward(id, { sequences, outputs: ["logprobs"] }).catch((error) => error);
    expect(error.message).toContain("not finite");
    expect(error.hint).toContain("Start the server again");
    server.distort = (rows, kind) => (kind === "forward" ? rows : rows.map((row) => row.map((x) => x - 0.5)));
    await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
    await expect(engine.optimStep(id, adam)).rejects.toThrow("differ by 0.500 nats a token");
  });

  test("a kind of server that it is not", async () => {
    const { engine, policy } = await opened({ options: { backend: "skyrl-train" } });
    const { id } = await policy();
    await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights: ones() });
    await expect(engine.optimStep(id, adam)).rejects.toThrow("not those of skyrl-train");
  });
});

test("what a server must never see is refused before it is sent", async () => {
  const { server, engine, policy } = await opened();
  const { id } = await policy();
  server.asked.length = 0;
  const loss = { name: "cross_entropy", sequences, weights: ones() } as const;
  const refused: [Promise<unknown>, string][] = [
    [engine.forward(id, { sequences: [], outputs: ["logprobs"] }), "at least one sequence"],
    [
      engine.forward(id, { sequences: [{ tokens: [1, 29], start: 1 }], outputs: ["logprobs"] }),
      "token 29 of sequence 0",
    ],
    [engine.forward(id, { sequences: [{ tokens: [1, 2], start: 0 }], outputs: ["logprobs"] }), "starts at 0"],
    [engine.forward(id, { sequences: [{ tokens: Array(25).fill(1), start: 1 }], outputs: ["logprobs"] }), "25 tokens"],
    [engine.forwardBackward(id, { ...loss, weights: ones().slice(1) }), "weights has 1 rows for 2 sequences"],
    [engine.forwardBackward(id, { ...loss, weights: [[1], [1]] }), "weights of sequence 0 has 1 entries for 3"],
    [sample([]), "at least one prompt"],
    [sample([[]]), "prompt 0 is empty"],
    [sample([Array(20).fill(1)]), "more than the 24"],
  ];
  for (const [call, words] of refused) await expect(call).rejects.toThrow(words);
  expect(server.asked.filter(({ path }) => path !== "session_heartbeat")).toEqual([]);

  function sample(prompts: number[][]) {
    return engine.sample(id, { prompts, maxNewTokens: 5, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 });
  }
});

describe("an answer that a server ends by itself", () => {
  const sampling = { maxNewTokens: 6, stopTokens: [1], temperature: 1, topK: 0, topP: 1, seed: 3 };
  const prompts = Array.from({ length: 40 }, () => [4, 6]);
  const sampled = async (backend: "skyrl-jax" | "skyrl-train", change: Partial<FakeTinker>) => {
    const { engine, policy } = await opened({
      prepare: (server) => Object.assign(server, change),
      options: { backend },
    });
    return engine.sample((await policy()).id, { ...sampling, prompts });
  };

  test("is finished, with the tokens that it has", async () => {
    const { tokens, stopReasons } = await sampled("skyrl-train", { ownEnd: 5 });
    const ended = tokens.filter((row) => row.includes(5));
    expect(ended.length).toBeGreaterThan(0);
    for (const [b, row] of tokens.entries()) {
      expect(stopReasons[b]).toBe([1, 5].includes(row.at(-1)!) ? "stop" : "length");
      expect(row.slice(0, -1)).not.toContain(5);
    }
  });

  test("is finished without a token that the server leaves out, and may have none", async () => {
    const { tokens, stopReasons } = await sampled("skyrl-train", { leavesOutEnds: true });
    expect(tokens.flat()).not.toContain(1);
    expect(tokens.some((row) => row.length === 0)).toBe(true);
    for (const [b, row] of tokens.entries()) expect(stopReasons[b]).toBe(row.length < 6 ? "stop" : "length");
  });

  test("shows, where servers end only as they are asked to, that it cannot be trusted", async () => {
    await expect(sampled("skyrl-jax", { ownEnd: 5 })).rejects.toThrow("stopped at none of the tokens 1");
    await expect(sampled("skyrl-jax", { leavesOutEnds: true })).rejects.toThrow(/a sample of the server/);
  });
});

test("neighbours with one prompt are one request, and have the samples that they would have had alone", async () => {
  const prompt = [4, 6];
  expect(groupsOf([prompt, [4, 6], [4], prompt], [5, 6, 7, 9])).toEqual([
    { prompt, stream: 5, count: 2 },
    { prompt: [4], stream: 7, count: 1 },
    { prompt, stream: 9, count: 1 },
  ]);
  const { server, engine, policy } = await opened();
  const { id } = await policy();
  const request = { maxNewTokens: 6, stopTokens: [1], temperature: 1, topK: 0, topP: 1, seed: 3 };
  const whole = await engine.sample(id, { ...request, prompts: [prompt, prompt, prompt] });
  expect(server.asked.filter(({ path }) => path === "asample")).toHaveLength(1);
  const third = await engine.sample(id, { ...request, prompts: [prompt], streams: [2] });
  expect(third.tokens[0]).toEqual(whole.tokens[2]);
});

test("a large batch is cut into requests of at most 1024 sequences and 5 MB", () => {
  const datum = (length: number) => ({ tokens: new Int32Array(length), targets: new Int32Array(length), inputs: {} });
  expect(
    requestsOf(
      Array.from({ length: 2100 }, () => datum(2)),
      defaultLimits,
    ).map((part) => part.length),
  ).toEqual([1024, 1024, 52]);
  expect(requestsOf([datum(300_000), datum(300_000), datum(10)], defaultLimits).map((part) => part.length)).toEqual([
    1, 2,
  ]);
});
