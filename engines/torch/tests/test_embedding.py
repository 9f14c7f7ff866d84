"""The embedding's gradient, row by row as on a CPU and as PyTorch's own matrix as on a device: the same numbers, with tied heads and Gemma's rounded factor."""
import unittest
from unittest import mock

import torch
from transformers import Gemma3TextConfig

from ballast_torch import losses
from ballast_torch.held_model import HeldModel
from tests.small import flat, model_of, rows, small_model

# The root of 24 is 4.899, in bf16 4.906.
GEMMA = Gemma3TextConfig(
    bos_token_id=None, eos_token_id=None, pad_token_id=None, vocab_size=13, max_position_embeddings=12, hidden_size=24, intermediate_size=16,
    num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=12, sliding_window=8, tie_word_embeddings=True,
)  # fmt: skip
DECODER = dict(family="gemma3_text", vocabularySize=13, context=12, width=24, layers=1, heads=2, kvHeads=1, headDim=12, tieEmbeddings=True, textIds=None)


def gemma(dtype):
    return model_of(GEMMA, DECODER, dtype=dtype)


def loss_of(texts):
    return dict(name="cross_entropy", sequences=flat(texts, [1] * len(texts)), weights=rows([[0.5 + 0.1 * i for i in range(len(t) - 1)] for t in texts]))


class EmbeddingTest(unittest.TestCase):
    def found(self, make, dtype, passes, by_rows):
        """The gradient after these passes, and each one's squared norm."""
        with mock.patch.object(HeldModel, "_takes_rows", lambda model: by_rows):
            model = make(dtype)
        squares = [losses.forward_backward(model, loss_of(texts))["gradSquaredNorm"] for texts in passes]
        return model.gradient, squares

    def test_by_rows_and_as_a_matrix(self):
        # Some tokens several times; the second pass is added to the first.
        passes = [[[1, 2, 1, 4], [5, 1, 7]], [[7, 8, 9, 7, 7]]]
        for tied in (True, False):
            for make in (lambda dtype: small_model(dtype=dtype, tied=tied), gemma):
                for dtype, most in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
                    with self.subTest(tied=tied, dtype=dtype):
                        (by_rows, squares), (matrix, others) = (self.found(make, dtype, passes, way) for way in (True, False))
                        self.assertGreater(float(matrix.abs().max()), 0.1)
                        self.assertLess(float((by_rows - matrix).abs().max()), most * float(matrix.abs().max()))
                        for a, b in zip(squares, others):
                            self.assertAlmostEqual(a / b, 1, delta=most)

    def test_a_row_is_multiplied_by_what_the_forward_pass_multiplied_it_by(self):
        # No token twice: then PyTorch's own sums round nothing more.
        (by_rows, _), (matrix, _) = (self.found(gemma, torch.bfloat16, [[[1, 2, 3, 4, 5]]], way) for way in (True, False))
        torch.testing.assert_close(by_rows, matrix, rtol=1e-5, atol=1e-7)


if __name__ == "__main__":
    unittest.main()
