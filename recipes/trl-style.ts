/**
 * The loop of TRL's PPOTrainer, line by line. Run it again after a kill: it continues at the batch that the trainer reports.
 *
 *   node recipes/trl-style.ts MODEL_FOLDER [BATCHES]
 */
import { AutoModelForCausalLM, AutoModelForCausalLMWithValueHead, AutoTokenizer, PPOConfig, PPOTrainer } from "ballast";

const [, , model_name = "my-model", batches = "10"] = process.argv;

const config = new PPOConfig({
  model_name,
  learning_rate: 1e-6,
  batch_size: 64,
  mini_batch_size: 8,
  ppo_epochs: 4,
  init_kl_coef: 0.1,
  target_kl: 0.1,
  cliprange: 0.2,
  seed: 42,
});
const policy = await AutoModelForCausalLMWithValueHead.fromPretrained(config.model_name);
const reference = await AutoModelForCausalLM.fromPretrained(config.model_name);
const tokenizer = await AutoTokenizer.fromPretrained(config.model_name);
const trainer = new PPOTrainer(config, policy, reference, tokenizer);

/** Your reward of a response. Here, one point for every sentence that ends. */
const score = (_query: string, response: string) => response.split(".").length - 1;

const questions = ["what is 2 plus 3 ?", "name a colour", "say hello", "is water wet ?"];
for (let batch = await trainer.open(); batch < Number(batches); batch = trainer.batch) {
  const queries = Array.from({ length: config.batch_size }, (_, b) => questions[(batch + b) % questions.length]!);
  const responses = await trainer.generate(queries, { max_new_tokens: 256 });
  const rewards = responses.map((response, b) => score(queries[b]!, response));
  const statistics = await trainer.step(queries, responses, rewards);
  console.log(`batch ${batch}: score ${statistics["reward/score_mean"]}, KL ${statistics["kl/ref_k1_token"]}`);
}
const { folder } = await trainer.finish();
console.log(`the policy is in ${folder}`);
