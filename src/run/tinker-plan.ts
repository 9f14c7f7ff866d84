/**
 * What an iteration of PPO on a server of Tinker's protocol will send, receive and hold here, for `ballast plan`: docs/scale.md has the sums and what was
 * measured. What it takes on the server is not known here.
 */
import type { Config } from "../config/index.ts";
import { backends } from "../engine/tinker/tinker-backends.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import { UsageError } from "../util/errors.ts";
import type { RowFacts } from "./memory-plan.ts";

export interface WirePlan {
  /** Sequences of an iteration, and tokens of the longest: prompt, response. */
  readonly sequences: number;
  readonly prompt: number;
  readonly response: number;
  /** What crosses in an iteration, in bytes, if no response stops early. */
  readonly lines: readonly { readonly what: string; readonly up: number; readonly down: number }[];
  readonly up: number;
  readonly down: number;
  /** HTTP requests that submit something, in an iteration. */
  readonly requests: number;
  /** Bytes that this process holds at its fullest. */
  readonly memory: number;
  /** Seconds of one core that client, controller and store take, as measured (docs/scale.md). */
  readonly seconds: number;
}

/** Token ids and targets of a position, as int32 and int64; every input or output is a float32. */
const position = 4 + 8;
const float = 4;
/** A token of a prompt and a request around it, as JSON, on average over 150,000 ids. */
const jsonToken = 6;
const jsonRequest = 300;
/** The SDK's limit of one request, by its own estimate (tinker-model.ts). */
const requestBytes = 5_000_000;
/** A list of numbers takes 8 bytes a number. */
const listed = 8;
/** Node, the tokenizer of a vocabulary of 150,000, rows and record, measured (docs/scale.md). */
const processBytes = 620 * 2 ** 20;

/** Seconds of one core for a sampled token: client, controller and store, measured (docs/scale.md). */
const secondsPerToken = 2.6e-6;

/** Throws UsageError for a configuration without PPO. */
export function planTinker({ ppo, engine }: Config, { lengths }: RowFacts): WirePlan {
  if (ppo === undefined || engine.backend === undefined)
    throw new UsageError(
      "only the stage ppo is planned for the engine tinker, and the configuration has none",
      "Give it a section ppo.",
    );
  const { sendsWeights, tokenLosses } = backends[engine.backend];
  const { sequences: B, maxNewTokens: T, minibatches, algorithm, responsesPerPrompt } = ppo;
  const epochs = algorithm === "rloo" ? 1 : ppo.epochs;
  const P = Math.max(1, ...(lengths.ppo ?? []));
  const positions = B * (P + T - 1);
  const remote = engine.reference === undefined || engine.reference.kind === "tinker";
  const forward = (passes: number) => ({
    up: passes * positions * (position + float),
    down: passes * positions * float * (tokenLosses ? 2 : 1),
  });
  // The pass after the last step covers the last epoch, or half of the only one.
  const after = epochs > 1 ? 1 : Math.ceil(minibatches / 2) / minibatches;
  const prompts = B / responsesPerPrompt;
  const lines = [
    { what: "prompts and samples", up: prompts * (P * jsonToken + jsonRequest), down: B * T * (4 + float) },
    { what: "log-probabilities of policy and reference", ...forward(remote ? 2 : 1) },
    { what: `losses of ${epochs} epoch${epochs === 1 ? "" : "s"}`, ...forward(epochs) },
    {
      what: "gradients",
      up: epochs * positions * (position + (sendsWeights ? 3 : 2) * float),
      down: epochs * positions * float * (tokenLosses ? 2 : 1),
    },
    { what: "after the last step", ...forward(after) },
  ];
  const sum = (key: "up" | "down") => lines.reduce((total, line) => total + line[key], 0);
  const perToken = hasCritic(algorithm) ? 9 : 7;
  const ofMinibatch = (B / minibatches) * (P + T) * (6 * listed + position + 4 * float);
  return {
    ...{ sequences: B, prompt: P, response: T, lines, up: sum("up"), down: sum("down") },
    requests: prompts + Math.ceil((sum("up") * 1.2) / requestBytes) + epochs * minibatches,
    memory: processBytes + B * (P + T) * listed + B * T * perToken * listed + ofMinibatch,
    seconds: B * T * secondsPerToken,
  };
}
