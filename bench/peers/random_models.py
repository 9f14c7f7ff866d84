"""What TRL's trainers are measured on: a random GPT-2 or Llama, and a tokenizer whose words are ids, by the options of a shape (bench/shapes.ts)."""
import argparse
import copy
import json
import os
import resource
import statistics

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

options = argparse.ArgumentParser()
for name in ("layers", "width", "heads", "vocabulary", "prompt", "response", "sequences"):
    options.add_argument(f"--{name}", type=int, required=True)
for name in ("epochs", "minibatches", "iterations", "threads"):
    options.add_argument(f"--{name}", type=int, required=True)
options.add_argument("--algorithm", required=True, help="not used: each trainer has one")
options.add_argument("--group", type=int, default=0, help="responses to a prompt; 0 without groups")
options.add_argument("--lora", type=int, default=0, help="not used: all weights are trained")
options.add_argument("--kvHeads", type=int, default=0, help="heads of keys and values of a Llama; 0 for a GPT-2")
options.add_argument("--innerWidth", type=int, default=0, help="width inside the gated MLP of a Llama")
options.add_argument("--stops", type=int, default=0, help="ids 0 to STOPS - 1 end a response")
options.add_argument("--device", default="cpu", help="cpu, or cuda")
options.add_argument("--bf16", action="store_true", help="autocast to bfloat16; weights stay float32")
a = options.parse_args()
on_cpu = a.device == "cpu"
if on_cpu:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch

torch.set_num_threads(a.threads)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

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
policy = language_model(config)
if a.stops > 0:
    policy.generation_config.eos_token_id = list(range(a.stops))
draws = torch.Generator().manual_seed(1)


def classifier_of():
    of_one_number = copy.deepcopy(config)
    of_one_number.num_labels = 1
    return classifier(of_one_number)


def draw_prompts(count):
    return [torch.randint(0, pad, (a.prompt,), generator=draws).tolist() for _ in range(count)]


def report(marks, lengths):
    """Prints the line of JSON. `marks`: after each iteration seconds, processor seconds, and seconds of generation so far; `lengths`: means of responses."""
    pairs = list(zip(marks, marks[1:]))
    total, cpu, generate = (statistics.median(after[i] - before[i] for before, after in pairs) for i in range(3))
    parameters = sum(p.numel() for p in policy.parameters())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    device = 0 if on_cpu else torch.cuda.max_memory_reserved() / 2**20
    found = dict(total=total, cpuSeconds=cpu, rollout=generate, meanLength=statistics.mean(lengths), parameters=parameters)
    print(json.dumps({**found, "peakMb": peak, "deviceMb": device}))
