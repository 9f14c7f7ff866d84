"""Every family in bf16 at positions far into a text: rotary tables are those of float32, and the end is computed as well as the beginning."""
import unittest

import numpy as np
import torch
from transformers import AutoConfig

from ballast_torch import architectures, losses
from ballast_torch.architectures import FAMILIES
from tests.small import flat, model_of

CONTEXT = 2048
SIZES = dict(vocab_size=32, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=CONTEXT)
OF_FAMILY = {
    "gpt2": dict(n_embd=32, n_layer=2, n_head=2, n_positions=CONTEXT),
    "mistral": dict(num_key_value_heads=1, sliding_window=64),
    "llama": dict(rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=512)),
    "qwen2": dict(num_key_value_heads=1),
    "qwen3": dict(num_key_value_heads=1, head_dim=16),
    "gemma3_text": dict(num_key_value_heads=1, head_dim=16, sliding_window=64, layer_types=["sliding_attention", "full_attention"]),
    "gpt_neox": {},
}


def model(family, dtype):
    config = AutoConfig.for_model(family, **{**SIZES, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None, "tie_word_embeddings": True, **OF_FAMILY[family]})
    for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    decoder = dict(family=family, vocabularySize=32, context=CONTEXT, width=32, layers=2, heads=2, tieEmbeddings=True, textIds=None)
    return model_of(config, decoder, dtype=dtype)


class LongTextsTest(unittest.TestCase):
    def test_the_end_is_as_exact_as_the_beginning(self):
        generator = np.random.default_rng(1)
        text = generator.integers(0, 32, CONTEXT)
        for family in FAMILIES:
            with self.subTest(family=family):
                found = [losses.forward(model(family, dtype), flat([text], [1]), ["logprobs"], 1.0)["logprobs"] for dtype in (torch.float32, torch.bfloat16)]
                apart = np.square(found[0] - found[1])
                beginning, end = (float(np.sqrt(part.mean())) for part in (apart[:256], apart[-256:]))
                self.assertLess(end, 1.5 * beginning)
                self.assertLess(beginning, 0.1)

    def test_rotary_tables_are_those_of_float32(self):
        for family in FAMILIES:
            held = model(family, torch.bfloat16)
            rotary = getattr(held.trunk, "rotary_emb", None)
            self.assertEqual(rotary is None, family == "gpt2")
            if rotary is None:
                continue
            fresh = model(family, torch.float32).trunk.rotary_emb
            tables = []
            rotary.register_forward_hook(lambda module, inputs, output: tables.append(output))
            with torch.no_grad():
                architectures.hidden_states(held.trunk, torch.zeros(1, CONTEXT, dtype=torch.int64))
            frequencies = [name for name, _ in rotary.named_buffers() if name.endswith("inv_freq") and "original" not in name]
            self.assertEqual(len(tables), len(frequencies))
            with self.subTest(family=family):
                angles = []
                for name in frequencies:
                    own, other = rotary.get_buffer(name), fresh.get_buffer(name)
                    self.assertEqual(own.dtype, torch.float32)
                    self.assertTrue(torch.equal(own, other))
                    angles.append(torch.arange(CONTEXT).double()[:, None] * own.double())
                for cosines, sines in tables:
                    # Rounded to bf16 once they are computed, by at most 2^-9.
                    gaps = [max(float((a.cos() - c[0, :, : a.shape[1]].double()).abs().max()), float((a.sin() - s[0, :, : a.shape[1]].double()).abs().max())) for a, c, s in ((angle, cosines, sines) for angle in angles)]
                    self.assertLess(min(gaps), 2.0**-8)


if __name__ == "__main__":
    unittest.main()
