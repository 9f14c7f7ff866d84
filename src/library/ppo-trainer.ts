/**
 * PPO with the loop in the caller's hands, as in TRL: the caller samples, scores and steps. Underneath is a complete run, with the same update,
 * controller, record and checkpoints as `ballast ppo`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { encodePrompt } from "../data/index.ts";
import { type BatchSource, runBatches } from "../run/batch-run.ts";
import { type OpenedRun, openRun, type RunListener } from "../run/open-run.ts";
import { algorithmSettings } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { barePrompt } from "../text/index.ts";
import type { Between } from "../trainer/online-run.ts";
import { type Prompt, type Responded, type Rollout, rollOut, rolloutOf } from "../trainer/rollout.ts";
import type { Progress, StageResult } from "../trainer/run-types.ts";
import type { MetricValues } from "../types/records.ts";
import { writeDurably } from "../util/durable.ts";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { random } from "../util/random.ts";
import type { LoopModels, PPOConfig } from "./ppo-config.ts";
import type { PretrainedModel, PretrainedTokenizer } from "./pretrained.ts";
import { unfinishedOrNewRun } from "./unfinished-run.ts";

export interface GenerationOptions {
  /** The longest response, in tokens. */
  readonly max_new_tokens: number;
}

/** The run between two batches, and how it receives the next one. */
interface Turn {
  readonly run: Between;
  readonly batch: number;
  /** Hands over the batch; null ends the run as done, "leave" saves it and leaves. */
  readonly hand: (rollout: Rollout | null | "leave") => void;
}

/**
 * Trains with PPO in a loop of the caller.
 * @example
 * const trainer = new PPOTrainer(config, policy, reference, tokenizer);
 * for (let batch = await trainer.open(); batch < batches; batch = trainer.batch) {
 *     const responses = await trainer.generate(queries, { max_new_tokens: 64 });
 *     const statistics = await trainer.step(queries, responses, responses.map(score));
 * }
 * const { folder } = await trainer.finish();
 */
export class PPOTrainer {
  readonly #config: PPOConfig;
  readonly #models: LoopModels;
  readonly #listener: RunListener;
  #opening: Promise<void> | null = null;
  #run: OpenedRun | null = null;
  /** Settles when the run ends. */
  #ended: Promise<StageResult> | null = null;
  #turn: Turn | null = null;
  #onTurn: (() => void) | null = null;
  #leaving = false;
  #batch = 0;
  /** Calls of `generate` since the last step: each draws from its own random streams. */
  #calls = 0;
  #sampled = new Map<string, Responded[]>();
  #scores: readonly number[] = [];
  #statistics: MetricValues = {};
  readonly #prompts: Prompt[] = [];

  /** Makes a trainer. `reference` may be null: it is then the initial policy. */
  constructor(
    config: PPOConfig,
    policy: PretrainedModel,
    reference: PretrainedModel | null,
    tokenizer: PretrainedTokenizer,
    listener: RunListener = {},
  ) {
    this.#config = config;
    this.#listener = listener;
    this.#models = {
      policy: policy.folder,
      context: policy.config.context,
      reference: (reference ?? policy).folder,
      tokenizer: tokenizer.folder,
    };
  }

  /** The number of the next batch, from 0. After the controller rolls back, it is lower than before. */
  get batch(): number {
    return this.#batch;
  }

  /** The run's id and folder, once it is open. */
  get run(): OpenedRun["place"] | null {
    return this.#run?.place ?? null;
  }

  /**
   * Continues this loop's unfinished run, or begins a new one. Returns the number of the batch to continue with. The other methods call it if the
   * caller has not.
   * @throws StoppedByController if an incident of the run waits for a decision
   */
  async open(): Promise<number> {
    this.#opening ??= this.#open();
    await this.#opening;
    return this.#batch;
  }

  /**
   * Samples the policy's responses, as texts. A query is a prompt with one user message; the tokenizer's chat template is applied to it, if there is
   * one.
   */
  async generate(queries: readonly string[], options: GenerationOptions): Promise<string[]> {
    for (const name of Object.keys(options)) if (name !== "max_new_tokens") throw unknownOption(name);
    const { max_new_tokens: maxNewTokens } = options;
    if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1)
      throw new UsageError(`max_new_tokens is a whole number from 1, not ${maxNewTokens}`);
    const { run, batch } = await this.#nextTurn();
    const { temperature, topK, topP } = run.settingsAt(batch);
    const prompts = queries.map((query) => this.#prompt(run, query, maxNewTokens));
    const rollout = await rollOut({
      engine: run.engine,
      tokenizer: run.context.tokenizer,
      model: run.models.policy.id,
      prompts,
      maxNewTokens,
      temperature,
      topK,
      topP,
      seed: random(run.seed, "rollout", batch, this.#calls++).uint32(),
      onProgress: (done, part) => run.loop.progress(batch, `sampling ${done}/${queries.length}`, part),
    });
    for (const [b, query] of queries.entries()) {
      const text = rollout.texts[b]!;
      const row: Responded = {
        prompt: prompts[b]!,
        tokens: rollout.responses_B_T[b]!,
        samplerLogprobs: rollout.samplerLogprobs_B_T[b]!,
        text,
        stopped: rollout.endsWithEos[b]!,
      };
      const key = keyOf(query, text);
      this.#sampled.set(key, [...(this.#sampled.get(key) ?? []), row]);
    }
    return rollout.texts;
  }

  /**
   * Trains on one batch: `batch_size` queries, their responses and the rewards of the responses. Returns the metrics of the iteration, by the keys of
   * docs/metrics.md.
   * @throws StoppedByController if the controller stops the run; the same script continues once the incident is decided
   */
  async step(
    queries: readonly string[],
    responses: readonly string[],
    rewards: readonly number[],
  ): Promise<MetricValues> {
    const size = this.#config.batch_size;
    for (const [what, list] of Object.entries({ queries, responses, rewards }))
      if (list.length !== size)
        throw new UsageError(`step needs a batch of batch_size ${size}, and got ${list.length} ${what}`);
    const bad = rewards.findIndex((reward) => !Number.isFinite(reward));
    if (bad >= 0)
      throw new UsageError(`the reward of response ${bad} is ${rewards[bad]}`, "Give every response a finite number.");
    const turn = await this.#nextTurn();
    checkGroups(queries, turn.run.settingsAt(turn.batch));
    const rows = responses.map((response, b) => this.#responded(turn.run, queries[b]!, response));
    this.#keepPrompts(turn.run, queries);
    this.#scores = rewards;
    this.#statistics = {};
    this.#sampled = new Map();
    this.#calls = 0;
    this.#hand(turn, rolloutOf(rows));
    await this.#turnOrEnd();
    return this.#statistics;
  }

  /** Ends the run as done. Returns the folder of the trained policy, in Hugging Face's format. */
  async finish(): Promise<StageResult> {
    await this.open();
    if (this.#turn) this.#hand(this.#turn, null);
    return this.#ended!;
  }

  /** Saves and leaves: running the same script again continues from here. */
  async close(): Promise<void> {
    if (this.#opening === null) return;
    await this.#opening.catch(() => {});
    this.#leaving = true;
    if (this.#turn) this.#hand(this.#turn, "leave");
    await this.#ended?.catch(() => {});
  }

  async #open(): Promise<void> {
    const input = { ...this.#config.toBallast(this.#models), name: this.#config.exp_name };
    const facts = await unfinishedOrNewRun(input);
    const run = openRun({
      ...facts,
      ...this.#listener,
      interrupted: () => this.#leaving,
      onProgress: (progress) => this.#progress(progress),
    });
    this.#run = run;
    const source: BatchSource = {
      prompts: this.#prompts,
      next: (between, batch) => this.#wait(between, batch),
      scores: (rows) => {
        if (rows.length === this.#scores.length) return [...this.#scores];
        throw new UsageError(`${rows.length} responses are to be scored, and ${this.#scores.length} scores are known`);
      },
    };
    this.#ended = run
      .train((attempt) => runBatches(attempt, source))
      .then(({ result }) => result)
      .finally(() => {
        this.#turn = null;
        this.#onTurn?.();
      });
    // Callers that await the run get its error; nobody has to.
    this.#ended.catch(() => {});
    await this.#turnOrEnd();
  }

  /** Called by the run before each batch. */
  async #wait(run: Between, batch: number): Promise<Rollout | null> {
    this.#batch = batch;
    this.#readPrompts(run);
    const handed = await new Promise<Rollout | null | "leave">((hand) => {
      this.#turn = { run, batch, hand };
      this.#onTurn?.();
    });
    if (handed !== "leave") return handed;
    run.loop.poll();
    return null;
  }

  #hand(turn: Turn, rollout: Rollout | null | "leave"): void {
    this.#turn = null;
    turn.hand(rollout);
  }

  /** Waits until the run needs its next batch, or is done. Throws what ended it early. */
  async #turnOrEnd(): Promise<void> {
    if (this.#turn === null) {
      const wanted = new Promise<void>((resolve) => {
        this.#onTurn = resolve;
      });
      await Promise.race([wanted, this.#ended]);
      this.#onTurn = null;
    }
    if (this.#turn === null) await this.#ended;
  }

  async #nextTurn(): Promise<Turn> {
    await this.open();
    if (this.#turn === null) await this.#turnOrEnd();
    if (this.#turn === null)
      throw new UsageError(
        `the run ${this.run?.id} is done`,
        "Raise steps, or begin a new run with a different exp_name.",
      );
    return this.#turn;
  }

  #progress(progress: Progress): void {
    // The end of an iteration, with its metrics.
    if (progress.message === undefined && progress.step > this.#batch) {
      this.#batch = progress.step;
      this.#statistics = progress.values;
    }
    this.#listener.onProgress?.(progress);
  }

  #prompt({ context, models, loop }: Between, query: string, maxNewTokens: number): Prompt {
    const row = { prompt: barePrompt(query), reference: null };
    const { longPrompts } = loop.settings;
    const size = models.policy.config.context;
    const tokens = encodePrompt(row, context.tokenizer, { context: size, maxNewTokens, longPrompts });
    if (tokens === null)
      throw new UsageError(`a query does not fit the model's ${size} tokens`, `Shorten it: ${query}`);
    return { row, tokens };
  }

  /** The response as it was sampled or, if the caller wrote or changed it, as a complete response with these words. */
  #responded(run: Between, query: string, response: string): Responded {
    const sampled = this.#sampled.get(keyOf(query, response))?.shift();
    if (sampled) return sampled;
    const { tokenizer } = run.context;
    const tokens = [...tokenizer.encodeCompletion(response)];
    const prompt = this.#prompt(run, query, tokens.length);
    return { prompt, tokens, samplerLogprobs: tokens.map(() => Number.NaN), text: response, stopped: true };
  }

  /** Keeps the first batch's queries for probes, which use them whenever the run is opened. */
  #keepPrompts(run: Between, queries: readonly string[]): void {
    if (this.#prompts.length > 0) return;
    writeDurably(this.#promptsFile(), `${JSON.stringify(queries)}\n`);
    this.#readPrompts(run);
  }

  #readPrompts(run: Between): void {
    const path = this.#promptsFile();
    if (this.#prompts.length > 0 || !existsSync(path)) return;
    const queries = JSON.parse(readFileSync(path, "utf8")) as string[];
    const { maxNewTokens } = run.loop.settings;
    this.#prompts.push(...queries.map((query) => this.#prompt(run, query, maxNewTokens)));
  }

  #promptsFile(): string {
    return join(this.#run!.place.folder, "prompts.json");
  }
}

function keyOf(query: string, response: string): string {
  return JSON.stringify([query, response]);
}

/** Throws UsageError if an algorithm that compares responses to the same query is not given them one after the other. */
function checkGroups(queries: readonly string[], { algorithm, responsesPerPrompt: size }: PpoConfig): void {
  if (!algorithmSettings[algorithm].groups) return;
  const odd = queries.findIndex((query, b) => query !== queries[b - (b % size)]);
  if (odd < 0) return;
  throw new UsageError(
    `${algorithm} compares ${size} responses to the same query, and query ${odd} is not query ${odd - (odd % size)}`,
    `Give each query ${size} times in a row, or a different ppo.responsesPerPrompt in the second argument of PPOConfig.`,
  );
}

function unknownOption(name: string): UsageError {
  const near = nearest(name, ["max_new_tokens"]);
  return new UsageError(
    `generate: unknown option "${name}"${near === undefined ? "" : `; did you mean ${near}?`}`,
    "It has max_new_tokens. Temperature, top_k and top_p are settings of the run: PPOConfig's second argument, { ppo: { temperature } }.",
  );
}
