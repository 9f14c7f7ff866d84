#!/bin/sh
# transformers 5.24.0: the cache that `generate` makes reads `sliding_window` from any configuration, also of families whose attention has no window.
#
# A Llama or a GPT-NeoX with that key in its config.json (a trace of a converted Mistral, for example) computes a whole forward pass over
# all positions, as their classes always do. `generate` with its default cache forgets the keys before the window. So the
# sampler and the forward pass are two different models, without a word: on the random models below the logits of the second new
# token on differ by more than 2, with the same weights and the same ids. A trainer that recomputes log-probabilities of such
# samples starts with ratios far from 1.
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
"$folder/venv/bin/python" - <<'EOF'
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM

sizes = dict(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
sizes |= dict(max_position_embeddings=64, bos_token_id=None, eos_token_id=None, pad_token_id=0)


def largest_gap(config, cls, **options):
    torch.manual_seed(0)
    model = cls(config).eval()
    with torch.no_grad():
        # Larger weights than a new model's, so that its answers depend on what it has read.
        for parameter in model.parameters():
            parameter.mul_(8)
        prompt = torch.arange(1, 9)[None]
        out = model.generate(
            prompt, max_new_tokens=12, do_sample=False, return_dict_in_generate=True, output_logits=True, **options
        )
        whole = model(out.sequences).logits[0, 7:-1]
    gap = (torch.stack(out.logits)[:, 0] - whole).abs().amax().item()
    print(cls.__name__, "sliding_window", getattr(config, "sliding_window", None), options, "largest difference", round(gap, 4))
    return gap


for config, cls in ((LlamaConfig, LlamaForCausalLM), (GPTNeoXConfig, GPTNeoXForCausalLM)):
    assert largest_gap(config(**sizes), cls) < 1e-3
    assert largest_gap(config(sliding_window=4, **sizes), cls) > 2
    assert largest_gap(config(sliding_window=4, **sizes), cls, use_cache=False) < 1e-3
EOF
