"""All that Ballast asks of transformers: a family's trunk from its config.json, the names of its parameters, and the cache of its attention.

transformers moves these interfaces from release to release; no other module imports it.
"""
import re

import torch
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModel, AutoModelForCausalLM
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.initialization import no_init_weights

from .errors import damaged, usage

# The families that were compared with transformers' own logits, in training and in generation past their lengths' thresholds
# (src/engine/torch/families.torch.test.ts). A family outside of this list may need more than its config says: Gemma 2's soft cap is ignored by the
# default attention, and Phi-3's cache forgets its text at a threshold.
FAMILIES = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3_text", "gpt_neox")

# The name in files of a head that is separate from the embedding.
OWN_HEADS = {"gpt_neox": "embed_out.weight"}

# Multipliers and caps of logits, which the head does not compute.
OTHER_HEADS = ("final_logit_softcapping", "logit_scale", "logits_scaling")

ATTENTION = "ballast"
# Tokens of a text up to which the two products take less time than PyTorch's fused attention in bf16 (docs/performance.md).
SHORT = 256


def attention(module, query, key, value, attention_mask, scaling=None, **more):
    """transformers' `sdpa`, but for short texts in bf16 on a CPU, where the backward pass of PyTorch's fused attention takes most of the time.

    Those are two products with a softmax in float32 between them. [B, H, S, K], keys and values of G heads -> ([B, S, H, K], None)
    """
    rows, heads, length, width = query.shape
    short = length <= SHORT and query.dtype == torch.bfloat16 and query.device.type == "cpu"
    # A mask that says more than "no later token", or a text that is read piece by piece.
    if not short or attention_mask is not None or length == 1 or key.shape[2] != length:
        return AttentionInterface()["sdpa"](module, query, key, value, attention_mask, scaling=scaling, **more)
    # The heads that share keys are rows of one product.
    groups = heads // key.shape[1]
    query, key, value = (array.reshape(rows * key.shape[1], -1, width) for array in (query, key, value))
    later_S_S = torch.full((length, length), float("-inf")).triu(1)
    scores = torch.baddbmm(
        later_S_S.repeat(groups, 1).expand(len(query), -1, -1),
        query.float(),
        key.float().transpose(1, 2),
        alpha=width**-0.5 if scaling is None else scaling,
    )
    found = torch.bmm(scores.softmax(-1).to(value.dtype), value)
    return found.view(rows, heads, length, width).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, AttentionMaskInterface()["sdpa"])


def read_config(folder):
    """A folder's configuration, with every dropout off. Never runs code from the folder."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise damaged(f"transformers cannot read {folder}/config.json: {str(error).splitlines()[0]}") from error
    family = config.model_type
    if family not in FAMILIES:
        raise usage(
            f"the PyTorch engine does not compute the family {family}",
            f"It computes {', '.join(FAMILIES)}: the families that were compared with transformers' own results.",
        )
    for key in OTHER_HEADS:
        if getattr(config, key, None) not in (None, 1, 1.0):
            raise usage(f"{folder}/config.json: {key} is {getattr(config, key)}; the PyTorch engine's head has none")
    for key, value in config.to_dict().items():
        if re.search(r"(dropout|pdrop)$", key) and isinstance(value, float):
            setattr(config, key, 0.0)
    # The same function: transformers composes `gelu_new` of eight operations, and PyTorch has it as one.
    if getattr(config, "activation_function", None) == "gelu_new":
        config.activation_function = "gelu_pytorch_tanh"
    return config


def build_trunk(config, device):
    """The decoder without a head, in float32; its parameters have no values yet, and take no memory of the device."""
    with no_init_weights():
        trunk = AutoModel.from_config(config, attn_implementation=ATTENTION, dtype=torch.float32)
    for module in trunk.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    trunk.eval()
    return trunk


class _Rows(torch.autograd.Function):
    """Rows of an embedding; their gradient goes to `take` as it is, where PyTorch's own makes a matrix of zeros and adds the rows to it."""

    @staticmethod
    def forward(ctx, weight_V_D, ids, rows, take, scale):
        ctx.ids, ctx.take, ctx.scale = ids, take, scale
        return rows

    @staticmethod
    def backward(ctx, gradient):
        ctx.take(ctx.ids, gradient * ctx.scale)
        return None, None, None, None, None


def take_rows(trunk, owner):
    """From now on `owner()._take_rows(ids, gradient)` gets the gradients of the embedding's rows, [N] and [N, D]. `owner`: a weak reference."""
    embedding = trunk.get_input_embeddings()
    if not hasattr(embedding, "owner"):
        embedding.register_forward_hook(_give_rows)
    embedding.owner = owner


def _give_rows(module, inputs, output):
    """A function of the module's own state, as low_rank.py has it."""
    if not (torch.is_grad_enabled() and module.weight.requires_grad):
        return output
    ids = inputs[0]
    take = lambda ids, gradient: module.owner()._take_rows(ids.reshape(-1), gradient.reshape(-1, gradient.shape[-1]))
    # Gemma's embedding multiplies what it reads, by a number that it rounds to the weights' type.
    scale = module.embed_scale.to(module.weight.dtype) if hasattr(module, "embed_scale") else 1.0
    return _Rows.apply(module.weight, ids, output.detach(), take, scale)


def trunk_prefix(config):
    """What precedes a trunk's parameters in the files of a language model: `transformer.`, `model.`"""
    return f"{AutoModelForCausalLM._model_mapping[type(config)].base_model_prefix}."


def own_head_name(config):
    return OWN_HEADS.get(config.model_type, "lm_head.weight")


def embedding_name(config, trunk):
    """The name, in files, of the matrix that a tied head shares."""
    embedding = trunk.get_input_embeddings().weight
    return trunk_prefix(config) + next(name for name, parameter in trunk.named_parameters() if parameter is embedding)


def transposes(config):
    """Whether the family's matrices are stored [inputs, outputs], as GPT-2's Conv1D has them."""
    return config.model_type == "gpt2"


def group_of(name):
    """The parameter group of a trunk's parameter by its name in the trunk: `embeddings`, `block.i` or `final`."""
    block = re.match(r"(?:h|layers)\.(\d+)\.", name)
    if block:
        return f"block.{block[1]}"
    return "embeddings" if re.match(r"(wte|wpe|embed_tokens|embed_in)\.", name) else "final"


def blocks(trunk):
    """The trunk's layers, in order."""
    return trunk.h if hasattr(trunk, "h") else trunk.layers


def recompute_blocks(trunk):
    """From now on a backward pass computes the activations inside each block again (Chen et al. 2016) instead of keeping them."""
    trunk.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False, "preserve_rng_state": False})
    # That of transformers asks for the mode of training; dropout, its other effect, is off in the configuration.
    trunk.train()


def context_of(config):
    """The longest sequence that the model reads, in tokens: of a Mistral no more than its window, within which that changes nothing."""
    window = config.sliding_window if config.model_type == "mistral" else None
    return min(config.max_position_embeddings, window or config.max_position_embeddings)


def hidden_states(trunk, ids_B_S):
    """Hidden states after the last norm. Sequences are padded on the right, where no real token looks. [B, S] -> [B, S, D]"""
    return trunk(input_ids=ids_B_S, use_cache=False).last_hidden_state


def next_hidden(trunk, ids_B_S, *, cache, mask_B_T, positions_B_S):
    """Hidden states of the tokens that follow what the cache holds. `mask_B_T` is 0 at padding, or None if there is none."""
    return trunk(
        input_ids=ids_B_S, attention_mask=mask_B_T, position_ids=positions_B_S, cache=cache, use_cache=True
    ).last_hidden_state


class GenerationCache(Cache):
    """Keys and values of all layers, allocated once for the longest text of the batch; rows that have finished are dropped."""

    def __init__(self, config, capacity):
        super().__init__(layers=[_FixedLayer(capacity) for _ in range(config.num_hidden_layers)])

    def keep(self, rows):
        """Keeps only these rows, in this order."""
        for layer in self.layers:
            layer.keep(rows)


class _FixedLayer(CacheLayerMixin):
    """One layer's keys and values, [B, G, capacity, K]; every position is kept, and masks say which are seen."""

    is_sliding = False

    def __init__(self, capacity):
        super().__init__()
        self.capacity = capacity
        self.length = 0
        self.rows = 0

    def lazy_initialization(self, key_states, value_states):
        rows, heads, _, width = key_states.shape
        self.rows = rows
        self.keys = key_states.new_empty(rows, heads, self.capacity, width)
        self.values = value_states.new_empty(rows, heads, self.capacity, value_states.shape[-1])
        self.is_initialized = True

    def update(self, key_states, value_states, *args, **kwargs):
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        self.keys[: self.rows, :, self.length : end] = key_states
        self.values[: self.rows, :, self.length : end] = value_states
        self.length = end
        return self.keys[: self.rows, :, :end], self.values[: self.rows, :, :end]

    def keep(self, rows):
        for array in (self.keys, self.values):
            array[: len(rows), :, : self.length] = array[rows, :, : self.length]
        self.rows = len(rows)

    def get_mask_sizes(self, query_length):
        return self.length + query_length, 0

    def get_seq_length(self):
        return self.length

    def get_max_length(self):
        return -1
