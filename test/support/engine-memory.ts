/** A process that trains a small model with varying shapes, and prints its resident memory, in MB, at each iteration. */
import { createEmbeddedEngine } from "../../src/engine/embedded/index.ts";
import { random } from "../../src/util/random.ts";

const iterations = Number(process.argv[2]);
const config = {
  ...{ family: "gpt2" as const, vocabularySize: 64, context: 96, width: 32, layers: 2, heads: 2 },
  tieEmbeddings: true,
};
const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.99, epsilon: 1e-5, weightDecay: 0, maxGradNorm: 1 };
const sampling = { stopTokens: [1], temperature: 1, topK: 0, topP: 1 };
const engine = await createEmbeddedEngine({ threads: 1 });
const policy = await engine.createModel({ config, heads: ["lm"], seed: 1 });
const critic = await engine.cloneModel(policy.id, { heads: ["scalar"] });
const resident: number[] = [];
for (let iteration = 0; iteration < iterations; iteration++) {
  const stream = random("memory", iteration);
  const prompts = Array.from({ length: 2 + stream.integer(9) }, () =>
    Array.from({ length: 1 + stream.integer(24) }, () => stream.integer(64)),
  );
  const { tokens, logprobs } = await engine.sample(policy.id, {
    ...sampling,
    prompts,
    maxNewTokens: 4 + stream.integer(36),
    seed: iteration,
  });
  const sequences = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
  const { values } = await engine.forward(critic.id, { sequences, outputs: ["values"] });
  const weights = logprobs.map((row) => row.map(() => 0.01));
  const noise = logprobs.map((row) => row.map(() => stream.normal()));
  await engine.forwardBackward(policy.id, {
    ...{ name: "policy", sequences, weights, oldLogprobs: logprobs, advantages: noise },
    config: { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0.01, kl: null, temperature: 1 },
  });
  await engine.forwardBackward(critic.id, {
    ...{ name: "value", sequences, weights, returns: noise, oldValues: values! },
    config: { valueClip: 0.2 },
  });
  await engine.optimStep(policy.id, adam);
  await engine.optimStep(critic.id, adam);
  resident.push((await engine.usage()).residentMb);
}
await engine.close();
process.stdout.write(JSON.stringify(resident));
