"""Attention of short texts in bf16: two products and a softmax equal attention computed in float64, entry by entry, and its gradients."""
import math
import unittest

import torch

from ballast_torch.architectures import SHORT, attention


def slow(query, key, value, scaling):
    """One query at a time, over the tokens up to its own. [B, H, S, K], keys and values of G heads -> [B, S, H, K], float64"""
    rows, heads, length, _ = query.shape
    groups = heads // key.shape[1]
    out = []
    for b in range(rows):
        for t in range(length):
            for h in range(heads):
                scores = torch.stack([scaling * (query[b, h, t] * key[b, h // groups, s]).sum() for s in range(t + 1)])
                weights = scores.exp() / scores.exp().sum()
                out.append(sum(weight * value[b, h // groups, s] for s, weight in enumerate(weights)))
    return torch.stack(out).view(rows, length, heads, -1)


class Short(unittest.TestCase):
    def check(self, heads, kept, scaling):
        torch.manual_seed(1)
        rows, length, width = 2, 5, 4
        shapes = [(rows, heads, length, width), (rows, kept, length, width), (rows, kept, length, width)]
        rounded = [torch.randn(shape).bfloat16().requires_grad_() for shape in shapes]
        exact = [array.detach().double().requires_grad_() for array in rounded]
        found, weights = attention(torch.nn.Identity(), *rounded, None, scaling=scaling)
        self.assertIsNone(weights)
        wanted = slow(*exact, width**-0.5 if scaling is None else scaling)
        direction = torch.randn(wanted.shape).bfloat16()
        found.backward(direction)
        wanted.backward(direction.double())
        # Roundings to bf16: 2^-9 of a number of about 1.
        torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=0.01)
        for one, other in zip(rounded, exact):
            torch.testing.assert_close(one.grad.double(), other.grad, rtol=0.02, atol=0.03)

    def test_equal_heads(self):
        self.check(heads=3, kept=3, scaling=None)

    def test_shared_keys(self):
        self.check(heads=6, kept=2, scaling=0.3)

    def test_nothing_later_is_read(self):
        query, key, value = (torch.randn(1, 2, 6, 4).bfloat16() for _ in range(3))
        before, _ = attention(torch.nn.Identity(), query, key, value, None)
        key[:, :, 3:], value[:, :, 3:] = math.pi, -math.pi
        after, _ = attention(torch.nn.Identity(), query, key, value, None)
        self.assertTrue(torch.equal(before[:, :3], after[:, :3]))
        self.assertFalse(torch.equal(before[:, 3:], after[:, 3:]))

    def test_all_other_texts_take_the_fused_one(self):
        for dtype, length in ((torch.float32, 8), (torch.bfloat16, SHORT + 1)):
            query, key, value = (torch.randn(1, 2, length, 4, dtype=dtype) for _ in range(3))
            found, _ = attention(torch.nn.Identity(), query, key, value, None)
            fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            self.assertTrue(torch.equal(found, fused.transpose(1, 2)))


if __name__ == "__main__":
    unittest.main()
