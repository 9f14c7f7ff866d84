"""Iterations of TRL's last PPO trainer on random GPT-2 or Llama models, all weights trained, as one line of JSON: medians without the first iteration.

PYTHONPATH must hold a checkout of TRL with trl/experimental/ppo; bench/peers.ts says which. The options are those of random_models.py. It was never run on CUDA.
"""

import tempfile
import time

from random_models import a, classifier_of, config, draw_prompts, language_model, on_cpu, pad, policy, report, tokenizer
import trl.experimental.ppo.ppo_trainer as trainer_module
from trl.experimental.ppo import PPOConfig, PPOTrainer

reference = language_model(config)
reference.load_state_dict(policy.state_dict())
reward, value = classifier_of(), classifier_of()
rows = [{"input_ids": prompt} for prompt in draw_prompts(a.sequences * (a.iterations + 1))]
settings = PPOConfig(
    output_dir=tempfile.mkdtemp(),
    per_device_train_batch_size=a.sequences // a.minibatches,
    gradient_accumulation_steps=a.minibatches,
    num_mini_batches=a.minibatches,
    total_episodes=a.sequences * a.iterations,
    local_rollout_forward_batch_size=a.sequences,
    response_length=a.response,
    num_ppo_epochs=a.epochs,
    **dict(temperature=1.0, learning_rate=1e-5, use_cpu=on_cpu, bf16=a.bf16, fp16=False, gradient_checkpointing=False),
    **dict(logging_steps=10**6, report_to="none", num_sample_generations=0, save_strategy="no", disable_tqdm=True),
)

generating = 0.0
lengths = []
generation = trainer_module.batch_generation


def timed_generation(*args, **kwargs):
    global generating
    start = time.perf_counter()
    query_responses, logits = generation(*args, **kwargs)
    generating += time.perf_counter() - start
    lengths.append((query_responses[:, a.prompt :] != pad).sum(1).float().mean().item())
    return query_responses, logits


trainer_module.batch_generation = timed_generation
trainer = PPOTrainer(
    args=settings,
    processing_class=tokenizer,
    model=policy,
    ref_model=reference,
    reward_model=reward,
    value_model=value,
    train_dataset=rows,
    eval_dataset=rows[:4],
)
if a.stops > 0:
    trainer.policy_model.generation_config.eos_token_id = list(range(a.stops))
marks = []
trainer.log = lambda *_, **__: marks.append((time.perf_counter(), time.process_time(), generating))
trainer.train()
report(marks, lengths)
