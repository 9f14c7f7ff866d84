"""A tiny GPT-2 for tests, held as the worker holds models."""
import torch
from transformers import GPT2Config

from ballast_torch import architectures
from ballast_torch.held_model import HeldModel

VOCABULARY, CONTEXT, WIDTH = 13, 12, 8


def small_model(heads=("lm",), dtype=torch.float32, tied=True, text_ids=None, seed=1, turns=None, host=None):
    config = GPT2Config(
        bos_token_id=None, eos_token_id=None, vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
    )
    decoder = dict(
        family="gpt2", vocabularySize=VOCABULARY, context=CONTEXT, width=WIDTH, layers=2, heads=2, tieEmbeddings=tied, textIds=text_ids
    )
    return model_of(config, decoder, heads, dtype, seed, turns=turns, host=host)


def model_of(config, decoder, heads=("lm",), dtype=torch.float32, seed=1, **place):
    """A model of random values."""
    trunk = architectures.build_trunk(config, torch.device("cpu"))
    model = HeldModel(id="m", config=config, decoder=decoder, heads=heads, trunk=trunk, dtype=dtype, device=torch.device("cpu"), **place)
    generator = torch.Generator().manual_seed(seed)
    model.master.copy_(0.3 * torch.randn(model.size, generator=generator))
    model.round()
    return model


def flat(texts, starts):
    import numpy as np

    return {
        "tokens": np.concatenate(texts).astype(np.int32),
        "lengths": np.array([len(text) for text in texts], dtype=np.int32),
        "starts": np.array(starts, dtype=np.int32),
    }


def rows(lists):
    import numpy as np

    return {
        "values": np.concatenate([np.array(one, dtype=np.float32) for one in lists]),
        "lengths": np.array([len(one) for one in lists], dtype=np.int32),
    }
