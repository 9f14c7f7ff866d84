"""Losses against loops over tokens, their gradients against finite differences, and steps against AdamW written out."""
import math
import unittest

import numpy as np
import torch

from ballast_torch import architectures, losses, optimizer, sampler
from ballast_torch.errors import EngineError

from .small import flat, rows, small_model

TEXTS = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9], [2, 7]]
STARTS = [2, 1, 3, 2]
LENGTHS = [len(text) - start for text, start in zip(TEXTS, STARTS)]


def numbers(seed, scale=1.0, shift=0.0):
    generator = np.random.default_rng(seed)
    return [list(shift + scale * generator.standard_normal(n)) for n in LENGTHS]


def per_token(flat_numbers):
    split = np.split(np.asarray(flat_numbers, dtype=np.float64), np.cumsum(LENGTHS)[:-1])
    return [list(one) for one in split]


def policy_request(**config):
    settings = dict(clipLow=0.2, clipHigh=0.3, dualClip=None, entropyCoef=0.0, kl=None, temperature=0.8, penalty=None)
    settings.update(config)
    return {
        "name": "policy",
        "sequences": flat(TEXTS, STARTS),
        "weights": rows(numbers(1, 0.1, 0.2)),
        "oldLogprobs": rows(numbers(2, 0.5, -2.5)),
        "advantages": rows(numbers(3)),
        "refLogprobs": rows(numbers(4, 0.5, -2.5)),
        "config": settings,
    }


def slow_policy(request, logprobs, entropy, full_kl=None):
    total, config = 0.0, request["config"]
    columns = {key: per_token(request[key]["values"]) for key in ("weights", "oldLogprobs", "advantages", "refLogprobs")}
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            a, logp = columns["advantages"][b][t], logprobs[b][t]
            log_ratio = logp - columns["oldLogprobs"][b][t]
            r = math.exp(min(max(log_ratio, -20), 20))
            if config["penalty"]:
                kl = r - 1 - log_ratio if full_kl is None else full_kl[b][t]
                term = -a * r + config["penalty"]["beta"] * kl
            else:
                term = max(-a * r, -a * min(max(r, 1 - config["clipLow"]), 1 + config["clipHigh"]))
                if config["dualClip"] is not None and a < 0:
                    term = min(term, -a * config["dualClip"])
            term -= config["entropyCoef"] * entropy[b][t]
            if config["kl"]:
                d = logp - columns["refLogprobs"][b][t]
                term += config["kl"]["coef"] * (d * d / 2 if config["kl"]["estimator"] == "k2" else math.exp(-d) - 1 + d)
            total += columns["weights"][b][t] * term
    return total


FORMS = [
    {},
    {"dualClip": 1.3},
    {"entropyCoef": 0.2},
    {"kl": {"coef": 0.3, "estimator": "k2"}, "entropyCoef": 0.1},
    {"kl": {"coef": 0.3, "estimator": "k3"}},
    {"penalty": {"beta": 0.5, "oldModel": None}},
]


class LossTest(unittest.TestCase):
    def test_policy_is_the_slow_sum(self):
        for form in FORMS:
            with self.subTest(form=form):
                model, request = small_model(), policy_request(**form)
                found = losses.forward_backward(model, request)
                logprobs, entropy = per_token(found["logprobs"]), per_token(found["entropy"])
                self.assertAlmostEqual(found["loss"], slow_policy(request, logprobs, entropy), places=5)

    def test_gradients_are_finite_differences(self):
        old = small_model(seed=5)
        cases = [(form, None) for form in FORMS] + [({"penalty": {"beta": 0.5, "oldModel": "old"}, "entropyCoef": 0.1}, old)]
        for form, other in cases:
            with self.subTest(form=form):
                request = policy_request(**form)
                self.check(small_model(), lambda model: losses.forward_backward(model, request, other)["loss"])

    def test_gradients_of_the_others(self):
        plain = {"name": "cross_entropy", "sequences": flat(TEXTS, STARTS), "weights": rows(numbers(1))}
        self.check(small_model(tied=False), lambda model: losses.forward_backward(model, plain)["loss"])
        value = {
            "name": "value",
            "sequences": flat(TEXTS, STARTS),
            "weights": rows(numbers(1)),
            "returns": rows(numbers(2)),
            "oldValues": rows(numbers(3, 0.3)),
            "config": {"valueClip": 0.2},
        }
        self.check(small_model(heads=("scalar",)), lambda model: losses.forward_backward(model, value)["loss"])
        pairs = {
            "name": "pairwise",
            "chosen": flat(TEXTS[:2], STARTS[:2]),
            "rejected": flat(TEXTS[2:], STARTS[2:]),
            "margins": np.array([0.1, 0.0], dtype=np.float32),
            "weights": np.array([0.5, 0.7], dtype=np.float32),
        }
        self.check(small_model(heads=("lm", "scalar")), lambda model: losses.forward_backward(model, pairs)["loss"])

    def check(self, model, loss_of):
        """The directional derivative along a random direction, by central differences; and the norm that the pass tells."""
        loss_of(model)
        gradient = model.gradient.clone()
        model.clear_gradient()
        direction = torch.randn(model.size, generator=torch.Generator().manual_seed(9))
        kept, step = model.master.clone(), 2e-3
        ends = []
        for sign in (1, -1):
            model.master.copy_(kept + sign * step * direction)
            ends.append(loss_of(model))
        model.master.copy_(kept)
        measured, told = (ends[0] - ends[1]) / (2 * step), float(gradient @ direction)
        self.assertLess(abs(measured - told), 2e-2 * max(1, abs(told)), f"{measured} is not {told}")

    def test_passes_add_up_and_tell_their_norms(self):
        request = {"name": "cross_entropy", "sequences": flat(TEXTS, STARTS), "weights": rows(numbers(1))}
        for dtype in (torch.float32, torch.bfloat16):
            model = small_model(dtype=dtype)
            first = losses.forward_backward(model, request)["gradSquaredNorm"]
            once = model.gradient.clone()
            self.assertAlmostEqual(first, float(once.square().sum()), delta=1e-5 * first)
            losses.forward_backward(model, request)
            torch.testing.assert_close(model.gradient, 2 * once)
            self.assertEqual(model.accumulated, 2)

    def test_rows_that_do_not_fit_are_refused_before_a_pass(self):
        request = {"name": "cross_entropy", "sequences": flat(TEXTS, STARTS), "weights": rows([[1.0]])}
        with self.assertRaisesRegex(EngineError, "weights has 1 rows for 4 sequences"):
            losses.check_loss(small_model(), request)


class RecomputeTest(unittest.TestCase):
    def test_same_bits_and_fewer_arrays_kept(self):
        request = {"name": "cross_entropy", "sequences": flat(TEXTS, STARTS), "weights": rows(numbers(1))}
        kept, gradients = [], []
        for recompute in (False, True):
            model = small_model()
            if recompute:
                architectures.recompute_blocks(model.trunk)
            bytes = [0]

            def pack(tensor):
                bytes[0] += tensor.nbytes
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                losses.forward_backward(model, request)
            kept.append(bytes[0])
            gradients.append(model.gradient.clone())
            # Generation has no use for it.
            found = sampler.sample(model, dict(prompts={"tokens": np.array([1, 2]), "lengths": [2]}, maxNewTokens=3, stopTokens=[], temperature=1, topK=0, topP=1, seed=1), [0])  # fmt: skip
            self.assertEqual(len(found[0][0]), 3)
        self.assertTrue(torch.equal(*gradients))
        # Hooks of recomputed blocks run while a backward pass does: what is kept by the forward pass is a fraction.
        self.assertLess(kept[1], 0.7 * kept[0])


class StepTest(unittest.TestCase):
    def test_adamw_written_out(self):
        model = small_model(heads=("lm", "scalar"))
        settings = dict(learningRate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-5, weightDecay=0.1, maxGradNorm=0.5, rateFactors={"block.1": 0.3})
        w, m, v = model.master.double().numpy().copy(), np.zeros(model.size), np.zeros(model.size)
        generator = torch.Generator().manual_seed(3)
        for t in (1, 2, 3):
            model.begin_pass()
            model.accumulated = 1
            model.gradient.copy_(torch.randn(model.size, generator=generator))
            g = model.gradient.double().numpy().copy()
            norm = math.sqrt((g * g).sum())
            told = optimizer.optim_step(model, **settings)
            self.assertAlmostEqual(told["gradNorm"], norm, places=4)
            self.assertAlmostEqual(math.hypot(*told["groupNorms"].values()), norm, places=4)
            g *= min(1, 0.5 / (norm + 1e-6))
            for p in model.parameters:
                at = slice(p.start, p.end)
                rate = 0.01 * settings["rateFactors"].get(p.group, 1)
                m[at] = 0.9 * m[at] + 0.1 * g[at]
                v[at] = 0.99 * v[at] + 0.01 * g[at] ** 2
                w[at] *= 1 - rate * 0.1 if len(p.shape) == 2 else 1
                w[at] -= rate * (m[at] / (1 - 0.9**t)) / (np.sqrt(v[at] / (1 - 0.99**t)) + 1e-5)
            np.testing.assert_allclose(model.master.numpy(), w, rtol=1e-4, atol=1e-6)

    def test_a_gradient_that_is_not_finite_touches_nothing(self):
        model = small_model(dtype=torch.bfloat16)
        before = model.master.clone()
        model.begin_pass()
        model.accumulated = 1
        model.gradient.fill_(1.0)
        model.gradient[3] = float("inf")
        settings = dict(learningRate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-5, weightDecay=0.1, maxGradNorm=None)
        self.assertTrue(optimizer.optim_step(model, **settings)["skipped"])
        self.assertTrue(torch.equal(model.master, before))
        self.assertEqual((model.steps, model.accumulated), (0, 0))
        fresh = small_model(dtype=torch.bfloat16)
        for one in (model, fresh):
            losses.forward_backward(one, {"name": "cross_entropy", "sequences": flat(TEXTS, STARTS), "weights": rows(numbers(1))})
        self.assertTrue(torch.equal(model.gradient, fresh.gradient))

    def test_a_step_starts_from_nothing(self):
        """Also if its pass reads less of the model than the one before: no scalar head after a value loss."""
        model = small_model(heads=("lm", "scalar"))
        texts = {"sequences": flat(TEXTS, STARTS), "weights": rows(numbers(1))}
        values = {"name": "value", **texts, "returns": rows(numbers(2)), "oldValues": rows(numbers(3)), "config": {"valueClip": 0.2}}
        losses.forward_backward(model, values)
        self.assertGreater(float(model.by_name["score.weight"].of(model.gradient).abs().sum()), 0)
        model.clear_gradient()
        losses.forward_backward(model, {"name": "cross_entropy", **texts})
        once = model.gradient.clone()
        self.assertEqual(float(model.by_name["score.weight"].of(once).abs().sum()), 0)
        model.clear_gradient()
        losses.forward_backward(model, {"name": "cross_entropy", **texts})
        self.assertTrue(torch.equal(model.gradient, once))


if __name__ == "__main__":
    unittest.main()
