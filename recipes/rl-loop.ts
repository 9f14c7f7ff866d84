/**
 * A complete loop on the bare engine, to copy and change: policy gradient with leave-one-out baselines and PPO's clip, without critic, controller or
 * record. A policy from scratch learns to write vowels.
 *
 *   node recipes/rl-loop.ts [ITERATIONS]
 */
import { buildTokenizer, openEngine } from "ballast";
import { gae, mean, tokenRewards, tokenWeights, whiten } from "ballast/rl";

const iterations = Number(process.argv[2] ?? 20);
const seed = 1;
/** B responses: `prompts` times `each`. */
const prompts = ["write", "sing"];
const each = 16;
const minibatches = 2;
const epochs = 2;
const klCoef = 0.02;

/** The reward of a response: its share of vowels. */
const score = (response: string) => response.replaceAll(/[^aeiou]/g, "").length / Math.max(1, response.length);

const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 64 }, ["write sing a e i o u b c d f g"]);
const engine = await openEngine({ threads: 1 });
const textIds = { below: tokenizer.vocabularySize, missing: tokenizer.missingIds };
const sizes = { family: "gpt2" as const, layers: 1, width: 16, heads: 2, context: 16, tieEmbeddings: true };
const policy = await engine.createModel({
  config: { ...sizes, vocabularySize: tokenizer.vocabularySize, textIds },
  heads: ["lm"],
  seed,
});
const reference = await engine.cloneModel(policy.id);

try {
  for (let iteration = 0; iteration < iterations; iteration++) {
    // 1. Roll out. The same seed gives the same responses.
    const asked = prompts.flatMap((content) =>
      Array.from({ length: each }, () => tokenizer.encodePrompt([{ role: "user", content }])),
    );
    const { tokens: responses_B_T, stopReasons } = await engine.sample(policy.id, {
      prompts: asked,
      maxNewTokens: 6,
      stopTokens: tokenizer.stopIds,
      temperature: 1,
      topK: 0,
      topP: 1,
      seed: seed + iteration,
    });
    const sequences = responses_B_T.map((response, b) => ({
      tokens: [...asked[b]!, ...response],
      start: asked[b]!.length,
    }));

    // 2. Score.
    const scores = responses_B_T.map((response) => score(tokenizer.decode(response)));

    // 3. Log-probabilities of the current policy and of the reference.
    const { logprobs: old_B_T = [] } = await engine.forward(policy.id, { sequences, outputs: ["logprobs"] });
    const { logprobs: ref_B_T = [] } = await engine.forward(reference.id, { sequences, outputs: ["logprobs"] });

    // 4. Advantages: a response's score compared with those of its prompt's other responses, and the KL on every token.
    const baselines = scores.map((own, b) => {
      const group = scores.slice(b - (b % each), b - (b % each) + each);
      return (group.reduce((sum, other) => sum + other, 0) - own) / (each - 1);
    });
    const rewards_B_T = tokenRewards({
      logprobs: old_B_T,
      refLogprobs: ref_B_T,
      scores: scores.map((own, b) => own - baselines[b]!),
      endsWithEos: stopReasons.map((reason) => reason === "stop"),
      klCoef,
      scoreClip: null,
      missingEosPenalty: 0,
    });
    const values = rewards_B_T.map((row) => row.map(() => 0));
    const { advantages } = gae({ rewards: rewards_B_T, values, gamma: 1, lambda: 1 });
    const advantages_B_T = whiten(advantages).rows;

    // 5. Update: the clipped loss, in minibatches.
    const size = sequences.length / minibatches;
    for (let epoch = 0; epoch < epochs; epoch++)
      for (let m = 0; m < minibatches; m++) {
        // Every second, third ... response, so that each minibatch has every prompt in it.
        const rows = Array.from({ length: size }, (_, k) => k * minibatches + m);
        const of = <T>(list: readonly T[]) => rows.map((b) => list[b]!);
        await engine.forwardBackward(policy.id, {
          name: "policy",
          sequences: of(sequences),
          weights: tokenWeights({ lengths: of(responses_B_T).map(({ length }) => length), aggregation: "token-mean" }),
          oldLogprobs: of(old_B_T),
          advantages: of(advantages_B_T),
          config: { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 },
        });
        await engine.optimStep(policy.id, {
          learningRate: 0.02,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-5,
          weightDecay: 0,
          maxGradNorm: 1,
        });
      }

    // 6. Report.
    console.log(`iteration ${iteration}: score ${mean(scores).toFixed(3)}`);
  }
} finally {
  await engine.close();
}
