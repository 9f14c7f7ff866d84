"""Two trained models in bf16 that share their array of rounded copies, against two that have one each: the same bits, in any order of passes and steps."""
import gc
import unittest

import torch

from ballast_torch import losses, optimizer
from ballast_torch.turns import Turns
from tests.small import flat, rows, small_model

SEQUENCES = flat([[1, 2, 3, 4], [5, 6, 7]], [2, 1])
LOSS = {"name": "cross_entropy", "sequences": SEQUENCES, "weights": rows([[0.5, 0.25], [1.0, -0.5]])}
ADAM = dict(learningRate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-8, weightDecay=0.1, maxGradNorm=1.0)


def story(turns):
    """Passes and steps of two models, out of step with each other; all that they give."""
    a, b = (small_model(("lm", "scalar"), torch.bfloat16, seed=seed, turns=turns) for seed in (1, 2))
    found = []
    for model in (a, b, b, a):
        found.append(losses.forward_backward(model, LOSS)["loss"])
        if model is b:
            optimizer.optim_step(b, **ADAM)
        found.append(losses.forward(a, SEQUENCES, ["logprobs", "values"]))
    optimizer.optim_step(a, **ADAM)
    optimizer.slow_average(b, a, 0.5)
    found += [losses.forward(model, SEQUENCES, ["logprobs", "values"]) for model in (a, b)]
    return a, b, found


class TurnsTest(unittest.TestCase):
    def test_the_same_bits(self):
        alone, together = story(None), story(Turns())
        self.assertEqual(repr(alone[2]), repr(together[2]))
        for i in range(2):
            self.assertTrue(torch.equal(alone[i].master, together[i].master))

    def test_one_array_which_goes_with_the_last_model(self):
        turns = Turns()
        a, b, _ = story(turns)
        place = a.rounded.data_ptr()
        self.assertEqual(place, b.rounded.data_ptr())
        self.assertIsNotNone(turns._room())
        del a, b
        gc.collect()
        self.assertIsNone(turns._room())

    def test_a_larger_model_gets_a_larger_array(self):
        turns = Turns()
        small = small_model(dtype=torch.bfloat16, turns=turns)
        before = losses.forward(small, SEQUENCES, ["logprobs"])
        large = small_model(dtype=torch.bfloat16, tied=False, turns=turns)
        losses.forward(large, SEQUENCES, ["logprobs"])
        self.assertEqual(repr(losses.forward(small, SEQUENCES, ["logprobs"])), repr(before))


if __name__ == "__main__":
    unittest.main()
