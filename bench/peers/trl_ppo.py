"""Iterations of TRL's last PPO trainer on random GPT-2 or Llama models on a CPU, all weights trained, as one line of JSON: medians without the first iteration.

PYTHONPATH must hold a checkout of TRL with trl/experimental/ppo; bench/peers.ts says which. All options are whole numbers.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"

options = argparse.ArgumentParser()
for name in ("layers", "width", "heads", "vocabulary", "prompt", "response", "sequences"):
    options.add_argument(f"--{name}", type=int, required=True)
for name in ("epochs", "minibatches", "iterations", "threads"):
    options.add_argument(f"--{name}", type=int, required=True)
options.add_argument("--lora", type=int, default=0, help="not used: all weights are trained")
options.add_argument("--kvHeads", type=int, default=0, help="heads of keys and values of a Llama; 0 for a GPT-2")
options.add_argument("--innerWidth", type=int, default=0, help="width inside the gated MLP of a Llama")
options.add_argument("--stops", type=int, default=0, help="ids 0 to STOPS - 1 end a response")
a = options.parse_args()

import torch

torch.set_num_threads(a.threads)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification
import trl.experimental.ppo.ppo_trainer as trainer_module
from trl.experimental.ppo import PPOConfig, PPOTrainer

pad, eos = a.vocabulary - 2, a.vocabulary - 1
words = {**{f"w{i}": i for i in range(pad)}, "[PAD]": pad, "[EOS]": eos}
words_tokenizer = Tokenizer(models.WordLevel(words, unk_token="[PAD]"))
words_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words_tokenizer, pad_token="[PAD]", eos_token="[EOS]", padding_side="left"
)

ids = dict(bos_token_id=eos, eos_token_id=eos, pad_token_id=pad)
if a.kvHeads == 0:
    language_model, classifier = GPT2LMHeadModel, GPT2ForSequenceClassification
    config = GPT2Config(
        vocab_size=a.vocabulary,
        n_positions=a.prompt + a.response,
        n_embd=a.width,
        n_layer=a.layers,
        n_head=a.heads,
        **dict(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **ids),
    )
else:
    language_model, classifier = LlamaForCausalLM, LlamaForSequenceClassification
    config = LlamaConfig(
        vocab_size=a.vocabulary,
        max_position_embeddings=a.prompt + a.response,
        hidden_size=a.width,
        intermediate_size=a.innerWidth,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.kvHeads,
        tie_word_embeddings=True,
        **ids,
    )
torch.manual_seed(0)
policy, reference = language_model(config), language_model(config)
reference.load_state_dict(policy.state_dict())
config.num_labels = 1
reward, value = classifier(config), classifier(config)
if a.stops > 0:
    policy.generation_config.eos_token_id = list(range(a.stops))

draws = torch.Generator().manual_seed(1)
rows = [
    {"input_ids": torch.randint(0, pad, (a.prompt,), generator=draws).tolist()}
    for _ in range(a.sequences * (a.iterations + 1))
]
settings = PPOConfig(
    output_dir=tempfile.mkdtemp(),
    per_device_train_batch_size=a.sequences // a.minibatches,
    gradient_accumulation_steps=a.minibatches,
    num_mini_batches=a.minibatches,
    total_episodes=a.sequences * a.iterations,
    local_rollout_forward_batch_size=a.sequences,
    response_length=a.response,
    num_ppo_epochs=a.epochs,
    **dict(temperature=1.0, learning_rate=1e-5, use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False),
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
total, cpu, generate = (
    statistics.median(after[i] - before[i] for before, after in zip(marks, marks[1:])) for i in range(3)
)
print(
    json.dumps(
        dict(
            total=total,
            cpuSeconds=cpu,
            rollout=generate,
            meanLength=statistics.mean(lengths),
            parameters=sum(p.numel() for p in policy.parameters()),
            peakMb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
    )
)
