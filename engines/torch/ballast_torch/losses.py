"""One pass: padded sequences in, and out the outputs of a forward pass, or a loss whose gradient is added to the model's.

Every loss is a sum over scored tokens (pairs) of weight times term, as src/engine/engine.ts defines them; the arithmetic after the trunk is float32.
"""
import numpy as np
import torch
import torch.nn.functional as F

from . import architectures
from .errors import usage
from .head import log_softmax, token_distribution


class Batch:
    """Sequences padded on the right. `rows_N`: flat positions of the states in which the scored tokens were chosen; `lengths`: scored tokens of each."""

    def __init__(self, ids_B_S, rows_N, targets_N, lengths, device):
        self.ids_B_S = torch.from_numpy(ids_B_S).to(device)
        self.rows_N = torch.from_numpy(rows_N).to(device)
        self.targets_N = None if targets_N is None else torch.from_numpy(targets_N).to(device)
        self.lengths = lengths


def context_bound(decoder):
    """What bounds the length of a sequence, and what to do about one that is longer, in words."""
    positions = decoder.get("options", {}).get("max_position_embeddings")
    if positions is None:
        return decoder["context"], "raise model.context of a model from scratch, or take a model that reads more"
    return (
        f"{decoder['context']}, its sliding_window (its max_position_embeddings is {positions})",
        "take a model with a larger window: beyond it, every layer would lose sight of a text's start",
    )


def check_tokens(decoder, tokens, what):
    context, vocabulary = decoder["context"], decoder["vocabularySize"]
    if len(tokens) == 0:
        raise usage(f"{what} is empty")
    if len(tokens) > context:
        says, remedy = context_bound(decoder)
        raise usage(f"{what} has {len(tokens)} tokens; the model's context is {says}", f"Shorten it, or {remedy}.")
    outside = (tokens < 0) | (tokens >= vocabulary)
    if outside.any():
        raise usage(
            f"{what} holds token {tokens[outside][0]}; the model's vocabulary has {vocabulary}",
            "The tokenizer does not belong to this model.",
        )


def texts_of(sequences):
    """The token arrays of `{tokens, lengths}`."""
    return np.split(sequences["tokens"], np.cumsum(sequences["lengths"])[:-1]) if len(sequences["lengths"]) else []


def _padded(texts, longest):
    ids_B_S = np.zeros((len(texts), longest), dtype=np.int64)
    for row, text in zip(ids_B_S, texts):
        row[: min(len(text), longest)] = text[:longest]
    return ids_B_S


def check_scored(model, sequences):
    """Throws unless every sequence fits the model, and every scored token is one that a text can have."""
    texts, starts = texts_of(sequences), sequences["starts"]
    if len(texts) == 0:
        raise usage("no sequences")
    text_ids = model.decoder.get("textIds")
    missing = np.array(text_ids["missing"]) if text_ids else None
    for b, (text, start) in enumerate(zip(texts, starts)):
        check_tokens(model.decoder, text, f"sequence {b}")
        if start < 1 or start > len(text):
            raise usage(f"sequence {b} of {len(text)} tokens starts at {start}; start must be 1 to {len(text)}")
        scored = text[start:]
        if text_ids and len(scored) > 0:
            wrong = (scored >= text_ids["below"]) | np.isin(scored, missing)
            if wrong.any():
                raise usage(f"sequence {b} is scored at token {scored[wrong][0]}, which no text has")


def check_texts(model, sequences):
    texts = texts_of(sequences)
    if len(texts) == 0:
        raise usage("no sequences")
    for b, text in enumerate(texts):
        check_tokens(model.decoder, text, f"sequence {b}")


def token_batch(model, sequences):
    """For per-token outputs: a sequence's last token is only a target and is not read."""
    texts, starts = texts_of(sequences), sequences["starts"]
    longest = max(1, *(len(text) - 1 for text in texts))
    rows = [np.arange(start - 1, len(text) - 1, dtype=np.int64) + b * longest for b, (text, start) in enumerate(zip(texts, starts))]
    targets_N = np.concatenate([text[start:] for text, start in zip(texts, starts)]).astype(np.int64)
    return Batch(_padded(texts, longest), np.concatenate(rows), targets_N, [len(row) for row in rows], model.device)


def score_batch(model, sequences):
    """For one score a sequence, at its last token."""
    texts = texts_of(sequences)
    longest = max(len(text) for text in texts)
    rows_B = np.array([b * longest + len(text) - 1 for b, text in enumerate(texts)], dtype=np.int64)
    return Batch(_padded(texts, longest), rows_B, None, [1] * len(texts), model.device)


def hidden_of(model, batch):
    """Hidden states at the batch's rows. [N, D]"""
    hidden_B_S_D = architectures.hidden_states(model.trunk, batch.ids_B_S)
    return hidden_B_S_D.flatten(0, 1).index_select(0, batch.rows_N)


def check_forward(model, sequences, outputs):
    """Throws for a call that `forward` cannot do; before any process begins it."""
    if not outputs:
        raise usage("forward: no outputs were asked for")
    if "score" in outputs:
        if len(outputs) > 1:
            raise usage('forward: "score" stands alone; ask for the others in a second call')
        check_texts(model, sequences)
    else:
        check_scored(model, sequences)
    model.check_head("scalar" if "score" in outputs or outputs == ["values"] else "lm")
    if "values" in outputs:
        model.check_head("scalar")


@torch.no_grad()
def forward(model, sequences, outputs, temperature=1.0):
    """The requested outputs, flat over the scored tokens; `score` is one number a sequence."""
    return model.run(lambda: _forward(model, sequences, outputs, temperature))


def _forward(model, sequences, outputs, temperature):
    if "score" in outputs:
        return {"score": _numbers(model.scalars(hidden_of(model, score_batch(model, sequences))))}
    batch = token_batch(model, sequences)
    head = model.language_head() if any(output != "values" for output in outputs) else None
    hidden_N_D = hidden_of(model, batch)
    results = {}
    if "logprobs" in outputs or "entropy" in outputs:
        logprobs_N, entropy_N, _ = token_distribution(
            head, hidden_N_D, batch.targets_N, temperature, entropy="entropy" in outputs
        )
        results.update(logprobs=logprobs_N, entropy=entropy_N)
    if "top1" in outputs:
        results["top1"] = head.logits(hidden_N_D).argmax(-1)
    if "values" in outputs:
        results["values"] = model.scalars(hidden_N_D)
    return {output: _numbers(results[output]) for output in outputs}


# The lists of each loss that have an entry for every scored token.
COLUMNS = {
    "cross_entropy": ("weights",),
    "value": ("weights", "returns", "oldValues"),
    "policy": ("weights", "oldLogprobs", "advantages"),
}


def check_loss(model, loss):
    """Throws for a loss that is none, or whose parts do not fit the model or each other; before any process begins it."""
    kind = loss["name"]
    if kind == "pairwise":
        pairs = len(loss["chosen"]["lengths"])
        counts = [len(loss["rejected"]["lengths"]), len(loss["margins"]), len(loss["weights"])]
        if any(count != pairs for count in counts):
            raise usage(f"pairwise: {pairs} chosen, {counts[0]} rejected, {counts[1]} margins, {counts[2]} weights")
        check_texts(model, _pairs_of(loss))
        model.check_head("scalar")
        return
    if kind not in COLUMNS:
        raise usage(f"there is no loss {kind}; there are {', '.join([*COLUMNS, 'pairwise'])}")
    model.check_head("scalar" if kind == "value" else "lm")
    check_scored(model, loss["sequences"])
    columns = COLUMNS[kind]
    if kind == "policy" and loss["config"].get("kl"):
        if loss.get("refLogprobs") is None:
            raise usage("policy: a KL term in the loss needs refLogprobs")
        columns = (*columns, "refLogprobs")
    scored = [int(length - start) for length, start in zip(loss["sequences"]["lengths"], loss["sequences"]["starts"])]
    for name in columns:
        lengths = list(loss[name]["lengths"])
        if len(lengths) != len(scored):
            raise usage(f"{name} has {len(lengths)} rows for {len(scored)} sequences")
        for i, (found, wanted) in enumerate(zip(lengths, scored)):
            if found != wanted:
                raise usage(f"{name}[{i}] has {found} entries for {wanted} scored tokens")


def forward_backward(model, loss, old_model=None):
    """One pass of a loss. Returns the loss, the squared norm of this pass's gradient, and the loss's outputs, flat."""
    find = {"cross_entropy": _cross_entropy, "pairwise": _pairwise, "value": _value, "policy": _policy}[loss["name"]]
    old = () if old_model is None else (_old_distribution(old_model, loss),)
    model.begin_pass()

    def compute():
        total, outputs = find(model, loss, *old)
        return total, {name: output.detach() for name, output in outputs.items()}

    total, outputs = model.run(compute)
    total.backward()
    squared = model.end_pass()
    return {"loss": float(total.detach()), "gradSquaredNorm": squared, **{name: _numbers(x) for name, x in outputs.items()}}


@torch.no_grad()
def _old_distribution(model, loss):
    """Log-probabilities of the policy that sampled, over the whole vocabulary. [N, V]"""

    def compute():
        batch = token_batch(model, loss["sequences"])
        return log_softmax(model.language_head(), hidden_of(model, batch), loss["config"]["temperature"])

    return model.run(compute)


def _cross_entropy(model, loss):
    head, batch = model.language_head(training=True), token_batch(model, loss["sequences"])
    logprobs_N, _, _ = token_distribution(head, hidden_of(model, batch), batch.targets_N, 1.0, entropy=False)
    return -(_column(model, loss, "weights") * logprobs_N).sum(), {"logprobs": logprobs_N}


def _pairs_of(loss):
    return {key: np.concatenate([loss["chosen"][key], loss["rejected"][key]]) for key in ("tokens", "lengths")}


def _pairwise(model, loss):
    pairs = len(loss["chosen"]["lengths"])
    scores_2B = model.scalars(hidden_of(model, score_batch(model, _pairs_of(loss))))
    chosen_B, rejected_B = scores_2B[:pairs], scores_2B[pairs:]
    gap_B = chosen_B - rejected_B - _tensor(model, loss["margins"])
    return (_tensor(model, loss["weights"]) * F.softplus(-gap_B)).sum(), {"chosen": chosen_B, "rejected": rejected_B}


def _value(model, loss):
    batch = token_batch(model, loss["sequences"])
    values_N = model.scalars(hidden_of(model, batch))
    returns_N, old_N = _column(model, loss, "returns"), _column(model, loss, "oldValues")
    weights_N, clip = _column(model, loss, "weights"), loss["config"].get("valueClip")
    term_N = (values_N - returns_N).square()
    if clip is not None:
        held_N = torch.minimum(torch.maximum(values_N, old_N - clip), old_N + clip)
        term_N = torch.maximum(term_N, (held_N - returns_N).square())
    return 0.5 * (weights_N * term_N).sum(), {"values": values_N}


def _policy(model, loss, old_N_V=None):
    config = loss["config"]
    penalty, kl, temperature = config.get("penalty"), config.get("kl"), config["temperature"]
    head, batch = model.language_head(training=True), token_batch(model, loss["sequences"])
    weights_N, advantages_N = _column(model, loss, "weights"), _column(model, loss, "advantages")
    sampled_N = _column(model, loss, "oldLogprobs")
    logprobs_N, entropy_N, full_N = token_distribution(
        head,
        hidden_of(model, batch),
        batch.targets_N,
        temperature,
        entropy_gradient=config["entropyCoef"] != 0,
        old_logprobs_N_V=old_N_V,
    )
    log_ratio_N = logprobs_N - sampled_N
    ratio_N = log_ratio_N.clamp(-20, 20).exp()
    term_N = -advantages_N * ratio_N
    outputs = {"logprobs": logprobs_N, "entropy": entropy_N}
    if penalty:
        moved_N = ratio_N - 1 - log_ratio_N if full_N is None else full_N
        outputs["penaltyKl"] = moved_N
        term_N = term_N + penalty["beta"] * moved_N
    else:
        clipped_N = ratio_N.clamp(1 - config["clipLow"], 1 + config["clipHigh"])
        term_N = torch.maximum(term_N, -advantages_N * clipped_N)
        if config.get("dualClip") is not None:
            bounded_N = torch.minimum(term_N, -advantages_N * config["dualClip"])
            term_N = torch.where(advantages_N < 0, bounded_N, term_N)
    if config["entropyCoef"] != 0:
        term_N = term_N - config["entropyCoef"] * entropy_N
    if kl:
        d_N = logprobs_N - _column(model, loss, "refLogprobs")
        kl_N = 0.5 * d_N.square() if kl["estimator"] == "k2" else (-d_N).exp() - 1 + d_N
        term_N = term_N + kl["coef"] * kl_N
    return (weights_N * term_N).sum(), outputs


def _column(model, loss, name):
    """A loss's numbers for each scored token."""
    return _tensor(model, loss[name]["values"])


def _tensor(model, numbers):
    return torch.from_numpy(np.array(numbers, dtype=np.float32)).to(model.device)


def _numbers(tensor):
    dtype = torch.int32 if not tensor.is_floating_point() else torch.float32
    return tensor.detach().to(dtype=dtype, device="cpu").contiguous().numpy()
