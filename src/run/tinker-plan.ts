/**
 * What an iteration of PPO on a server of Tinker's protocol will send, receive and hold here, with the models of roles that have an engine on this machine,
 * for `ballast plan`: docs/scale.md has the sums and what was measured. What it takes on the server is not known here.
 */
import type { Config } from "../config/index.ts";
import type { ModelRole } from "../engine/capabilities.ts";
import { backends } from "../engine/tinker/tinker-backends.ts";
import { defaultLimits } from "../engine/tinker/tinker-client.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import { UsageError } from "../util/errors.ts";
import { type PlanLine, planMemory, type RowFacts } from "./memory-plan.ts";
import { planTorch } from "./torch-memory-plan.ts";

export interface WirePlan {
  /** Sequences of an iteration, and tokens of the longest: prompt, response. */
  readonly sequences: number;
  readonly prompt: number;
  readonly response: number;
  /** What crosses in an iteration, in bytes, if no response stops early. */
  readonly lines: readonly { readonly what: string; readonly up: number; readonly down: number }[];
  readonly up: number;
  readonly down: number;
  /** HTTP requests that submit something, in an iteration; questions for results come on top. */
  readonly requests: number;
  /** The client, then what engines of roles on this machine hold, in lines that begin with the role. */
  readonly held: readonly PlanLine[];
  /** Bytes that this machine holds at its fullest: the sum of `held`. */
  readonly memory: number;
  /** Seconds of one core that client, controller and store take, as measured for one epoch of RLOO (docs/scale.md); null for anything else. */
  readonly seconds: number | null;
}

/** Token ids and targets of a position, as int32 and int64; every input or output is a float32. */
const position = 4 + 8;
const float = 4;
/** A token of a prompt and a request around it, as JSON, on average over 150,000 ids. */
const jsonToken = 6;
const jsonRequest = 300;
/** A list of numbers takes 8 bytes a number. */
const listed = 8;
/** Node, the tokenizer of a vocabulary of 150,000, rows and record, measured (docs/scale.md). */
const processBytes = 620 * 2 ** 20;

/** Seconds of one core for a sampled token: client, controller and store of RLOO, measured (docs/scale.md). */
const secondsPerToken = 2.6e-6;

/** Throws UsageError for a configuration without PPO. */
export function planTinker(config: Config, facts: RowFacts): WirePlan {
  const { ppo, engine, control } = config;
  const { lengths } = facts;
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
  const after = epochs > 1 ? 1 : minibatches === 1 ? 0.5 : Math.ceil(minibatches / 2) / minibatches;
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
  const client = processBytes + B * (P + T) * listed + B * T * perToken * listed + ofMinibatch;
  const held = [{ what: "client, rollout and record", bytes: client }, ...heldByEngines(config, facts)];
  // One call a minibatch, cut into requests of the SDK's size.
  const call = (inputs: number, count = B / minibatches) =>
    Math.ceil(count / sequencesOfRequest((P + T - 1) * (position + inputs * float)));
  const calls = {
    samples: prompts + 1,
    policy: minibatches * call(1),
    // Its calls, and one on a few prompts.
    reference: remote ? minibatches * call(1) + 1 : 0,
    steps: epochs * minibatches * (call(1) + call(sendsWeights ? 3 : 2) + 1),
    after: minibatches === 1 ? call(1, Math.ceil(after * B)) : Math.round(after * minibatches) * call(1),
    kept: control.interventions === "on" ? 1 : 0,
  };
  return {
    ...{ sequences: B, prompt: P, response: T, lines, up: sum("up"), down: sum("down") },
    requests: Object.values(calls).reduce((total, one) => total + one, 0),
    held,
    memory: held.reduce((total, { bytes }) => total + bytes, 0),
    seconds: algorithm === "rloo" ? B * T * secondsPerToken : null,
  };
}

/** Sequences of so many bytes that one request may hold, by the SDK's limits; a server may name smaller ones. */
function sequencesOfRequest(bytes: number): number {
  return Math.max(1, Math.min(defaultLimits.sequences, Math.floor(defaultLimits.bytes / bytes)));
}

/** What the engines of roles on this machine hold; each has copies of its own. Their programs count Node once more, on the safe side. */
function heldByEngines(config: Config, facts: RowFacts): PlanLine[] {
  const { reference, critic, reward } = config.engine;
  return Object.entries({ reference, critic, reward }).flatMap(([role, choice]) => {
    if (choice === undefined || choice.kind === "tinker") return [];
    const plan = choice.kind === "torch" ? planTorch : planMemory;
    const { lines } = plan({ ...config, engine: choice }, facts, [role as ModelRole]);
    // What is on a device is not this machine's memory.
    const named = (what: string) => (what.startsWith(role) ? what : `${role}: ${what}`);
    return lines.filter(({ onDevice }) => !onDevice).map(({ what, bytes }) => ({ what: named(what), bytes }));
  });
}
