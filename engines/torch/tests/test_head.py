"""The head against PyTorch's own operations: log-probability, entropy, KL and every gradient, with blocks of a row or two."""
import unittest

import torch

from ballast_torch import head as head_module
from ballast_torch.head import LanguageHead, log_softmax, token_distribution

N, D, V = 7, 5, 11


def inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    random = lambda *shape: torch.randn(*shape, generator=generator)
    return random(N, D), random(V, D), torch.randint(0, 6, (N,), generator=generator), random(N), random(N), random(N), random(V, D)


class HeadTest(unittest.TestCase):
    def setUp(self):
        self.block, self.part = head_module.BLOCK, head_module.MATRIX_PART
        head_module.BLOCK, head_module.MATRIX_PART = 2 * V, 4 * D * 3

    def tearDown(self):
        head_module.BLOCK, head_module.MATRIX_PART = self.block, self.part

    def compare(self, dtype, temperature, impossible, with_kl, with_entropy):
        hidden, weight, targets, g_logprob, g_entropy, g_kl, old_weight = inputs()
        hidden, weight = hidden.to(dtype), weight.to(dtype)
        mask = torch.zeros(V, dtype=torch.bool)
        if impossible:
            mask[8:] = True
        old = log_softmax(LanguageHead(old_weight.to(dtype), mask if impossible else None), hidden, temperature) if with_kl else None

        # The obvious way, in float64.
        h, w = hidden.double().requires_grad_(), weight.double().requires_grad_()
        logits = (h @ w.t()).masked_fill(mask, -1e30) / temperature
        logp = torch.log_softmax(logits, -1)
        expected = [logp.gather(1, targets[:, None]).squeeze(1), -(logp.exp() * logp).sum(-1)]
        total = (g_logprob.double() * expected[0]).sum()
        if with_entropy:
            total = total + (g_entropy.double() * expected[1]).sum()
        if with_kl:
            expected.append((old.double().exp() * (old.double() - logp)).sum(-1))
            total = total + (g_kl.double() * expected[2]).sum()
        total.backward()

        taken = []
        ours = hidden.clone().requires_grad_()
        head = LanguageHead(weight, mask if impossible else None, lambda a, b: taken.append(a @ b))
        found = token_distribution(head, ours, targets, temperature, entropy_gradient=with_entropy, old_logprobs_N_V=old)
        loss = (g_logprob * found[0]).sum()
        if with_entropy:
            loss = loss + (g_entropy * found[1]).sum()
        if with_kl:
            loss = loss + (g_kl * found[2]).sum()
        loss.backward()
        for mine, obvious in zip(found, expected):
            torch.testing.assert_close(mine.double(), obvious, rtol=1e-5, atol=1e-5)
        rough = 1e-5 if dtype == torch.float32 else 2e-2
        torch.testing.assert_close(ours.grad.double(), h.grad, rtol=rough, atol=rough)
        torch.testing.assert_close(taken[0].double(), w.grad, rtol=1e-4, atol=1e-4)

    def test_everything(self):
        for dtype in (torch.float32, torch.bfloat16):
            for temperature in (1.0, 0.7):
                for impossible in (False, True):
                    for with_kl in (False, True):
                        for with_entropy in (False, True):
                            with self.subTest(dtype=dtype, temperature=temperature, impossible=impossible, kl=with_kl, entropy=with_entropy):
                                self.compare(dtype, temperature, impossible, with_kl, with_entropy)

    def test_a_forward_pass_has_the_bits_of_a_training_pass(self):
        hidden, weight, targets, *_ = inputs()
        head = LanguageHead(weight)
        with torch.no_grad():
            read, _, _ = token_distribution(head, hidden, targets, 0.9)
        trained, _, _ = token_distribution(head, hidden.requires_grad_(), targets, 0.9, entropy_gradient=True)
        self.assertTrue(torch.equal(read, trained.detach()))

    def test_no_rows(self):
        _, weight, *_ = inputs()
        hidden = torch.zeros(0, D, requires_grad=True)
        logprobs, entropy, _ = token_distribution(LanguageHead(weight), hidden, torch.zeros(0, dtype=torch.int64), 1.0)
        (logprobs.sum() + entropy.sum()).backward()
        self.assertEqual(logprobs.shape, (0,))


if __name__ == "__main__":
    unittest.main()
