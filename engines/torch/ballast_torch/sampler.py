"""Generation: the prompts in one pass, then a token a row a step against a cache that is allocated once; rows that have ended are dropped.

A row draws from a stream of its own: token t of a row is chosen by the t-th uniform number of (seed, stream), whatever else is in the batch.
"""
import numpy as np
import torch

from . import architectures
from .errors import usage
from .losses import check_tokens, context_bound, texts_of

# Rows in one batch, and entries of its cache: they bound the memory.
MOST_ROWS = 256
MOST_CACHE_ENTRIES = 1 << 26
# Rows are dropped once this share of the batch has ended: dropping copies the cache of those that stay.
DROP_SHARE = 0.125

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x):
    """The finalizer of splitmix64 (Steele, Lea and Flood 2014) over an array of 64-bit words."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def row_keys(seed, streams):
    """The key of each row's stream. Two streams of one seed are different words of splitmix64, and so are two seeds."""
    with np.errstate(over="ignore"):
        return _mix(_mix(np.uint64(seed) + _GOLDEN) + np.asarray(streams).astype(np.uint64) * _GOLDEN)


def uniforms(keys, step):
    """One number in [0, 1), of 53 bits, for each row: word `step` of splitmix64 from the row's key."""
    with np.errstate(over="ignore"):
        return (_mix(keys + np.uint64(step + 1) * _GOLDEN) >> np.uint64(11)).astype(np.float64) * 2.0**-53


@torch.no_grad()
def sample(model, request, rows, before_step=lambda done, wanted: None):
    """The responses to the prompts at `rows`: (tokens, log-probabilities, whether it ended at a stop token) of each, in their order."""
    prompts, streams = texts_of(request["prompts"]), _streams(request)
    order = sorted(rows, key=lambda i: (len(prompts[i]), i))
    head = model.language_head()
    most = _rows_at_once(model, [prompts[i] for i in rows], request["maxNewTokens"])
    stops = set(request["stopTokens"])
    found = {}
    for at in range(0, len(order), most):
        part = order[at : at + most]
        batch = [prompts[i] for i in part]
        keys = row_keys(request["seed"], np.asarray(streams)[part])
        done = lambda step: before_step(at * request["maxNewTokens"] + step * len(part), len(order) * request["maxNewTokens"])
        for i, (tokens, logprobs) in zip(part, _batch(model, head, request, batch, keys, done)):
            found[i] = (tokens, logprobs, int(tokens[-1]) in stops)
    return [found[i] for i in rows]


def flat(results):
    """Results of all prompts as flat arrays with their lengths, and which of them ended at a stop token."""
    return {
        "lengths": np.array([len(tokens) for tokens, _, _ in results], dtype=np.int32),
        "tokens": np.concatenate([tokens for tokens, _, _ in results] or [[]]).astype(np.int32),
        "logprobs": np.concatenate([logprobs for _, logprobs, _ in results] or [[]]).astype(np.float32),
        "stopped": [stopped for _, _, stopped in results],
    }


def _streams(request):
    streams = request.get("streams")
    return np.arange(len(request["prompts"]["lengths"])) if streams is None else streams


def check(model, request):
    """Throws for a request that cannot be done; the prompts' tokens."""
    prompts, streams = texts_of(request["prompts"]), _streams(request)

    def need(name, holds, wanted):
        if not holds:
            raise usage(f"{name} is {request[name]:g}; it must be {wanted}")

    new = request["maxNewTokens"]
    need("maxNewTokens", new == int(new) and new >= 1, "a whole number of at least 1")
    need("temperature", 0 <= request["temperature"] < float("inf"), "0 or more")
    need("topK", request["topK"] == int(request["topK"]) and request["topK"] >= 0, "a whole number, 0 for all")
    need("topP", 0 < request["topP"] <= 1, "above 0 and at most 1")
    if len(streams) != len(prompts):
        raise usage(f"{len(streams)} streams for {len(prompts)} prompts")
    for i, prompt in enumerate(prompts):
        check_tokens(model.decoder, prompt, f"prompt {i}")
        if len(prompt) + new > model.decoder["context"]:
            says, remedy = context_bound(model.decoder)
            raise usage(
                f"prompt {i} has {len(prompt)} tokens; with {new} new ones it exceeds the context of {says}",
                f"Shorten prompts, lower maxNewTokens, or {remedy}.",
            )
    return prompts


def _rows_at_once(model, prompts, new):
    if not prompts:
        return 1
    decoder = model.decoder
    heads = decoder.get("kvHeads") or decoder["heads"]
    width = decoder.get("headDim") or decoder["width"] // decoder["heads"]
    entries = 2 * decoder["layers"] * heads * width * (max(len(prompt) for prompt in prompts) + new)
    return max(1, min(MOST_ROWS, MOST_CACHE_ENTRIES // entries))


def _batch(model, head, request, prompts, keys, before_step):
    """Tokens and log-probabilities of each row. Prompts are padded on the left, so that a row's cache has no gap."""
    device, new = model.device, int(request["maxNewTokens"])
    stops = torch.tensor(sorted(set(request["stopTokens"])), device=device, dtype=torch.int64)
    longest = max(len(prompt) for prompt in prompts)
    ids = np.zeros((len(prompts), longest), dtype=np.int64)
    mask = np.zeros((len(prompts), longest + new), dtype=np.int64)
    for b, prompt in enumerate(prompts):
        ids[b, longest - len(prompt) :] = prompt
        mask[b, longest - len(prompt) :] = 1
    even = all(len(prompt) == longest for prompt in prompts)
    mask_B_T = None if even else torch.from_numpy(mask).to(device)
    lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ids_B_S = torch.from_numpy(ids).to(device)
    positions_B_S = (torch.arange(longest, device=device) - (longest - lengths_B)[:, None]).clamp(min=0)
    cache = architectures.GenerationCache(model.config, longest + new)
    tokens_B_N = torch.zeros(len(prompts), new, dtype=torch.int64)
    logprobs_B_N = torch.zeros(len(prompts), new)
    counts_B = torch.full((len(prompts),), new)
    # Rows of the batch that are computed, by their place in the results; some of them may have ended.
    live = torch.arange(len(prompts))
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    hidden_B_D = architectures.next_hidden(
        model.trunk,
        ids_B_S,
        cache=cache,
        mask_B_T=None if even else mask_B_T[:, :longest],
        positions_B_S=positions_B_S,
    )[:, -1]
    for step in range(new):
        before_step(step)
        token_B, logprob_B = choose(head.logits(hidden_B_D), request, uniforms(keys, step))
        tokens_B_N[live, step] = token_B.cpu()
        logprobs_B_N[live, step] = logprob_B.cpu()
        stopped = torch.isin(token_B, stops).cpu() & ~ended
        counts_B[live[stopped]] = step + 1
        ended |= stopped
        if bool(ended.all()) or step + 1 == new:
            break
        if int(ended.sum()) > DROP_SHARE * len(ended):
            rows = (~ended).nonzero().squeeze(1)
            cache.keep(rows.to(device))
            live, ended, keys = live[rows], ended[rows], keys[rows.numpy()]
            token_B, lengths_B = token_B[rows.to(device)], lengths_B[rows.to(device)]
            mask_B_T = None if even else mask_B_T[rows.to(device)]
        hidden_B_D = architectures.next_hidden(
            model.trunk,
            token_B[:, None],
            cache=cache,
            mask_B_T=None if even else mask_B_T[:, : longest + step + 1],
            positions_B_S=(lengths_B + step)[:, None],
        )[:, -1]
    return [
        (tokens_B_N[b, :count].numpy(), logprobs_B_N[b, :count].numpy()) for b, count in enumerate(counts_B.tolist())
    ]


def choose(logits_B_V, request, uniforms_B):
    """A token for each row, and its log-probability over the whole vocabulary at the temperature."""
    if request["temperature"] == 0:
        token_B = logits_B_V.argmax(-1)
        logprobs_B_V = torch.log_softmax(logits_B_V, -1)
        return token_B, _at(logprobs_B_V, token_B)
    logprobs_B_V = torch.log_softmax(logits_B_V.div_(request["temperature"]), -1)
    uniform_B = torch.from_numpy(uniforms_B).to(logits_B_V.device)
    keep, share = int(request["topK"]), request["topP"]
    if keep == 0 and share == 1:
        token_B = invert(logprobs_B_V.exp(), uniform_B)
        return token_B, _at(logprobs_B_V, token_B)
    if keep == 0:
        values_B_K, indices_B_K = logprobs_B_V.sort(dim=-1, descending=True, stable=True)
    else:
        values_B_K, indices_B_K = logprobs_B_V.topk(min(keep, logprobs_B_V.shape[1]), -1)
    weights_B_K = values_B_K.exp()
    if share < 1:
        # A token stays while those before it sum to less than the share; the first always stays.
        long_B_K = weights_B_K.double()
        running_B_K = long_B_K.cumsum(-1)
        weights_B_K = weights_B_K.where(running_B_K - long_B_K < share * running_B_K[:, -1:], torch.zeros_like(weights_B_K))
    choice_B = invert(weights_B_K, uniform_B)
    return _at(indices_B_K, choice_B), _at(values_B_K, choice_B)


def invert(weights_B_K, uniform_B):
    """An index a row, with probability in proportion to its weight; never one of weight 0.

    Two levels, a block and an index in it, each by a running sum in float64: in float32 a running sum over a large vocabulary loses the tail.
    """
    rows, K = weights_B_K.shape
    size = 1 << ((max(K - 1, 1)).bit_length() + 1) // 2
    blocks = -(-K // size)
    padded = torch.nn.functional.pad(weights_B_K, (0, blocks * size - K)).view(rows, blocks, size)
    block_B, rest_B = _choose_by_sum(padded.sum(-1).double(), uniform_B)
    inside_B, _ = _choose_by_sum(padded[torch.arange(rows, device=padded.device), block_B].double(), rest_B)
    return block_B * size + inside_B


def _choose_by_sum(weights_B_N, uniform_B):
    """The first index at which the running sum exceeds uniform x total, and the rest of the uniform number for a choice within it."""
    running_B_N = weights_B_N.cumsum(-1)
    total_B_1 = running_B_N[:, -1:]
    target_B_1 = uniform_B[:, None] * total_B_1
    # The second bound holds if rounding carries the target to the total, past all weights.
    index_B = torch.minimum((running_B_N <= target_B_1).sum(-1), (running_B_N < total_B_1).sum(-1))
    weight_B = _at(weights_B_N, index_B)
    rest_B = (target_B_1.squeeze(1) - _at(running_B_N, index_B) + weight_B) / weight_B
    return index_B, rest_B.clamp(0, 1 - 2.0**-53).nan_to_num(0)


def _at(array_B_N, index_B):
    return array_B_N.gather(1, index_B[:, None]).squeeze(1)
