/** On a machine with little memory every pass is small: of each loss and output, of pairs and scores as of responses. */
import { expect, test, vi } from "vitest";
import type { CreateModelRequest } from "../engine.ts";
import { createEmbeddedEngine } from "./index.ts";
import type { Call } from "./protocol.ts";

const room = 64;

// A worker that has room for few tokens, and keeps what it is asked for.
const asked = vi.hoisted(() => [] as { readonly [list in "sequences" | "chosen" | "rejected"]?: readonly object[] }[]);
vi.mock("../../util/start-worker.ts", async () => {
  const { EventEmitter } = await import("node:events");
  return {
    startWorker: () => {
      const worker = Object.assign(new EventEmitter(), {
        postMessage({ id, verb, args }: Call) {
          if (verb === "forwardBackward" || verb === "forward") asked.push(args[1] as (typeof asked)[number]);
          const result = verb === "createModel" ? { id: "m", tokensOfPass: room } : { loss: 0, gradSquaredNorm: 0 };
          queueMicrotask(() => worker.emit("message", { id, result }));
        },
        terminate: async () => 0,
      });
      return worker;
    },
  };
});

const sequences = Array.from({ length: 12 }, () => ({ tokens: new Array<number>(8).fill(1), start: 1 }));
const weights = sequences.map(() => new Array<number>(7).fill(1));
const ones = sequences.map(() => 1);

test("pairs and scores are cut as responses are", async () => {
  const engine = await createEmbeddedEngine({ threads: 1 });
  const { id } = await engine.createModel({} as CreateModelRequest);
  const pairs = { name: "pairwise", chosen: sequences, rejected: sequences, weights: ones, margins: ones } as const;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => engine.forwardBackward(id, { name: "cross_entropy", sequences, weights }),
    () => engine.forwardBackward(id, pairs),
    () => engine.forward(id, { sequences, outputs: ["logprobs"] }),
    () => engine.forward(id, { sequences, outputs: ["score"] }),
  ];
  for (const call of calls) {
    asked.length = 0;
    await call();
    const tokens = asked.map(
      ({ sequences = [], chosen = [], rejected = [] }) => 8 * [...sequences, ...chosen, ...rejected].length,
    );
    expect(tokens.length).toBeGreaterThan(1);
    expect(Math.max(...tokens)).toBeLessThanOrEqual(room);
  }
  await engine.close();
});
