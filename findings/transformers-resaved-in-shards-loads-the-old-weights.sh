#!/bin/sh
# transformers 5.24.0: `save_pretrained` in shards over a folder that holds one whole file leaves that file, and `from_pretrained` then
# loads it: the old weights, without a word.
#
# A training run that saves a small model, grows past `max_shard_size` (or lowers it) and saves to the same folder again gets
# the first model back. The index of the shards is complete and right, and nobody reads it, because `model.safetensors` is looked for
# first. Saved in the other order only a stale index stays behind, which does no harm there; a reader that looks for the index first
# fails on it.
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
"$folder/venv/bin/python" - "$folder/model" <<'EOF'
import os, sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM

folder = sys.argv[1]
sizes = dict(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)


def random_model(seed):
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**sizes))


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))


first, second = random_model(1), random_model(2)
first.save_pretrained(folder)
second.save_pretrained(folder, max_shard_size="10KB")
print(sorted(os.listdir(folder)))
assert "model.safetensors" in os.listdir(folder) and "model.safetensors.index.json" in os.listdir(folder)
loaded = LlamaForCausalLM.from_pretrained(folder)
print("equals the first model:", equal(loaded, first), "- equals the second, saved last:", equal(loaded, second))
assert equal(loaded, first) and not equal(loaded, second)
EOF
