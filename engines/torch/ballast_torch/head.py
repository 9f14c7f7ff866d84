"""The language head: log-probabilities, entropies and KLs of scored positions in float32, by one buffer of logits that becomes its own gradient.

PyTorch's own operations would keep the logits, their log-softmax, its exponential and both gradients: seven arrays of [N, V]. Here there is one, and
what is computed entry by entry goes through it in blocks of rows that stay in the cache.
"""
import torch

# Entries of a block of rows: 4 MB in float32.
BLOCK = 1 << 20
# Bytes of the head's matrix that are in float32 at once, if the model's own is not: they stay in the cache, and take no new pages part by part.
MATRIX_PART = 1 << 24
IMPOSSIBLE = -1e30


class LanguageHead:
    """`weight` [V, D]; `impossible` [V], true for the ids that no text has, or None.

    `take_gradient` receives the two float32 factors of the matrix's gradient, [V, N] and [N, D], and makes the product where it wants it.
    """

    def __init__(self, weight_V_D, impossible_V=None, take_gradient=None):
        self.weight_V_D = weight_V_D
        self.impossible_V = impossible_V
        self.take_gradient = take_gradient

    def logits(self, hidden_N_D):
        """Float32 logits, with -1e30 for ids that no text has. [N, D] -> [N, V]"""
        hidden_N_D = hidden_N_D.float()
        logits_N_V = hidden_N_D.new_empty(len(hidden_N_D), len(self.weight_V_D))
        for part, matrix in self.parts():
            torch.mm(hidden_N_D, matrix.t(), out=logits_N_V[:, part])
        if self.impossible_V is not None:
            logits_N_V.masked_fill_(self.impossible_V, IMPOSSIBLE)
        return logits_N_V

    def parts(self):
        """The matrix in float32, part by part of the vocabulary; whole if it is float32."""
        vocabulary, width = self.weight_V_D.shape
        if self.weight_V_D.dtype == torch.float32:
            yield slice(0, vocabulary), self.weight_V_D
            return
        step = max(1, MATRIX_PART // (4 * width))
        wide = torch.empty(min(step, vocabulary), width, device=self.weight_V_D.device)
        for at in range(0, vocabulary, step):
            rows = self.weight_V_D[at : at + step]
            yield slice(at, at + len(rows)), wide[: len(rows)].copy_(rows)


def token_distribution(head, hidden_N_D, targets_N, temperature, *, entropy=True, entropy_gradient=False, old_logprobs_N_V=None):
    """Log-probability of each target, entropy of its whole distribution, and KL(old, new), all at the temperature.

    Returns (logprobs_N, entropy_N or None, kl_N or None), float32. The entropy has a gradient only if asked for; `old_logprobs_N_V` asks for the KL.
    """
    results = _TokenDistribution.apply(hidden_N_D, head, targets_N, temperature, entropy, entropy_gradient, old_logprobs_N_V)
    logprobs_N, entropy_N, kl_N = results
    return logprobs_N, entropy_N if entropy else None, None if old_logprobs_N_V is None else kl_N


def log_softmax(head, hidden_N_D, temperature):
    """Log-probabilities of the whole vocabulary, without a gradient. [N, D] -> [N, V]"""
    with torch.no_grad():
        logits_N_V = head.logits(hidden_N_D)
        for block in _blocks(logits_N_V):
            _normalise(block, temperature)
        return logits_N_V


def _normalise(logits, temperature):
    logits.div_(temperature)
    logits.sub_(torch.logsumexp(logits, -1, keepdim=True))


def _blocks(array_N_V):
    return array_N_V.split(max(1, BLOCK // array_N_V.shape[1]))


class _TokenDistribution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden_N_D, head, targets_N, temperature, entropy, entropy_gradient, old_logprobs_N_V):
        logprobs_N_V = head.logits(hidden_N_D)
        entropy_N = logprobs_N_V.new_zeros(len(logprobs_N_V))
        kl_N = torch.zeros_like(entropy_N)
        at = 0
        for block in _blocks(logprobs_N_V):
            _normalise(block, temperature)
            rows = slice(at, at + len(block))
            if entropy:
                entropy_N[rows] = block.exp().mul_(block).sum(-1).neg_()
            if old_logprobs_N_V is not None:
                old = old_logprobs_N_V[rows]
                kl_N[rows] = (old - block).mul_(old.exp()).sum(-1)
            at += len(block)
        logprobs_N = logprobs_N_V.gather(1, targets_N[:, None]).squeeze(1)
        if not entropy_gradient:
            ctx.mark_non_differentiable(entropy_N)
        if any(ctx.needs_input_grad):
            ctx.head, ctx.targets_N, ctx.temperature = head, targets_N, temperature
            ctx.logprobs_N_V, ctx.old_logprobs_N_V = logprobs_N_V, old_logprobs_N_V
            ctx.hidden_N_D = hidden_N_D.detach()
            ctx.entropy_N = entropy_N.detach() if entropy_gradient else None
        return logprobs_N, entropy_N, kl_N

    @staticmethod
    def backward(ctx, grad_logprobs_N, grad_entropy_N, grad_kl_N):
        # With z the scaled logits, p their softmax and H its entropy:
        #     d log p_t / dz = [t] - p,   dH / dz = -p (log p + H),   d KL(old, new) / dz = p - p_old
        gradient_N_V = ctx.logprobs_N_V
        old_N_V = ctx.old_logprobs_N_V
        at = 0
        for block in _blocks(gradient_N_V):
            rows = slice(at, at + len(block))
            factor = grad_logprobs_N[rows, None].neg()
            if old_N_V is not None:
                factor = factor + grad_kl_N[rows, None]
            if ctx.entropy_N is None:
                block.exp_().mul_(factor)
            else:
                inner = (block + ctx.entropy_N[rows, None]).mul_(-grad_entropy_N[rows, None]).add_(factor)
                block.exp_().mul_(inner)
            if old_N_V is not None:
                block.addcmul_(old_N_V[rows].exp(), grad_kl_N[rows, None], value=-1)
            at += len(block)
        gradient_N_V.scatter_add_(1, ctx.targets_N[:, None], grad_logprobs_N[:, None])
        gradient_N_V.div_(ctx.temperature)
        if ctx.head.impossible_V is not None:
            gradient_N_V.masked_fill_(ctx.head.impossible_V, 0)
        hidden_N_D = ctx.hidden_N_D.float()
        grad_hidden_N_D = torch.zeros_like(hidden_N_D)
        for part, matrix in ctx.head.parts():
            grad_hidden_N_D.addmm_(gradient_N_V[:, part], matrix)
        if ctx.head.take_gradient is not None:
            ctx.head.take_gradient(gradient_N_V.t(), hidden_N_D)
        ctx.logprobs_N_V = ctx.old_logprobs_N_V = None
        return grad_hidden_N_D.to(ctx.hidden_N_D.dtype), None, None, None, None, None, None
