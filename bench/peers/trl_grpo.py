"""Iterations of TRL's GRPO trainer on random GPT-2 or Llama models, all weights trained, as one line of JSON: medians without the first iteration.

PYTHONPATH must hold a checkout of TRL; bench/peers.ts says which. The options are those of random_models.py. It was never run on CUDA.
"""

import statistics
import tempfile
import time

from datasets import Dataset
from random_models import a, classifier_of, draw_prompts, on_cpu, policy, report, tokenizer
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

steps = a.minibatches * a.epochs
prompts = draw_prompts(a.sequences // a.group * (a.iterations + 1))
settings = GRPOConfig(
    output_dir=tempfile.mkdtemp(),
    per_device_train_batch_size=a.sequences // a.minibatches,
    gradient_accumulation_steps=1,
    steps_per_generation=a.minibatches,
    num_generations=a.group,
    num_iterations=a.epochs,
    max_completion_length=a.response,
    max_steps=a.iterations * steps,
    # As Ballast's `grpo` (src/settings/algorithm-table.ts): Shao et al. 2024.
    **dict(beta=0.04, loss_type="grpo", temperature=1.0, learning_rate=1e-5, disable_dropout=True),
    **dict(use_cpu=on_cpu, bf16=a.bf16, fp16=False, gradient_checkpointing=False),
    **dict(logging_steps=10**6, report_to="none", save_strategy="no", disable_tqdm=True),
)
generating, lengths, marks = 0.0, [], []


class Timed(GRPOTrainer):
    def _generate_single_turn(self, *args, **kwargs):
        global generating
        start = time.perf_counter()
        found = super()._generate_single_turn(*args, **kwargs)
        generating += time.perf_counter() - start
        lengths.append(statistics.mean(map(len, found[0])))
        return found


class Marks(TrainerCallback):
    def on_step_end(self, _settings, state, _control, **_):
        if state.global_step % steps == 0:
            marks.append((time.perf_counter(), time.process_time(), generating))


# It reads the reference from where the policy came from.
folder = tempfile.mkdtemp()
policy.save_pretrained(folder)
trainer = Timed(
    model=folder,
    reward_funcs=classifier_of(),
    reward_processing_classes=tokenizer,
    processing_class=tokenizer,
    args=settings,
    train_dataset=Dataset.from_list([{"prompt": tokenizer.decode(prompt)} for prompt in prompts]),
    callbacks=[Marks()],
)
trainer.train()
report(marks, lengths)
