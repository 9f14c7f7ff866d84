"""Sampling: streams, inversion against one running sum, frequencies, and rows that do not depend on their batch."""
import unittest

import numpy as np
import torch

from ballast_torch import losses, sampler

from .small import flat, small_model

PROMPTS = [[3, 1], [4, 1, 5, 9], [2, 6, 5], [3], [5, 8, 9], [7, 9, 3, 2]]


def request(**more):
    settings = dict(maxNewTokens=8, stopTokens=[2, 6], temperature=1.0, topK=0, topP=1.0, seed=11)
    settings.update(more)
    prompts = settings.pop("prompts", PROMPTS)
    return {**settings, "prompts": flat(prompts, [1] * len(prompts))}


def tokens_of(found):
    return [list(one) for one in np.split(found["tokens"], np.cumsum(found["lengths"])[:-1])]


def sample(model, request):
    return sampler.flat(sampler.sample(model, request, range(len(sampler.check(model, request)))))


class StreamTest(unittest.TestCase):
    def test_words_of_splitmix64(self):
        # The generator's published first words from state 1234567.
        words = [6457827717110365317, 3203168211198807973, 9817491932198370423]
        for step, word in enumerate(words):
            found = sampler.uniforms(np.array([1234567], dtype=np.uint64), step)[0]
            self.assertEqual(found, (word >> 11) * 2.0**-53)

    def test_streams_differ_and_are_uniform(self):
        keys = sampler.row_keys(7, np.arange(4000))
        self.assertEqual(len(set(keys.tolist())), 4000)
        numbers = np.array([sampler.uniforms(keys, step) for step in range(10)])
        self.assertTrue((numbers >= 0).all() and (numbers < 1).all())
        counts, _ = np.histogram(numbers, 20, (0, 1))
        self.assertLess(((counts - 2000) ** 2 / 2000).sum(), 45)
        self.assertLess(abs(np.corrcoef(numbers[0], numbers[1])[0, 1]), 0.06)
        self.assertFalse(np.isin(sampler.row_keys(8, np.arange(4000)), keys).any())


class InvertTest(unittest.TestCase):
    def test_is_the_first_index_past_the_target(self):
        generator = np.random.default_rng(1)
        for size in (1, 2, 3, 5, 16, 17, 1000):
            weights = generator.random((64, size)).astype(np.float32) * (generator.random((64, size)) < 0.6)
            weights[:, -1] += 0.1
            numbers = generator.random(64)
            found = sampler.invert(torch.from_numpy(weights), torch.from_numpy(numbers)).numpy()
            running = np.cumsum(weights.astype(np.float64), 1)
            exact = (running <= numbers[:, None] * running[:, -1:]).sum(1)
            self.assertTrue((weights[np.arange(64), found] > 0).all())
            # Block sums are float32: a number within its rounding of an edge may fall to the other side.
            edge = np.abs(running - numbers[:, None] * running[:, -1:]).min(1) / running[:, -1] < 1e-6
            self.assertTrue(((found == exact) | edge).all())

    def test_the_tail_of_a_large_vocabulary_is_drawn(self):
        weights = torch.full((1, 200_000), 1e-9)
        weights[0, 0] = 1.0
        tail = sampler.invert(weights, torch.tensor([1 - 1e-5], dtype=torch.float64))
        self.assertGreater(int(tail), 100_000)

    def test_ends(self):
        weights = torch.tensor([[0.0, 0.5, 0.0, 0.5, 0.0]])
        for number, index in ((0.0, 1), (1 - 2**-53, 3)):
            self.assertEqual(int(sampler.invert(weights, torch.tensor([number], dtype=torch.float64))), index)


class SampleTest(unittest.TestCase):
    def test_a_row_is_its_own(self):
        model = small_model()
        whole = sample(model, request())
        for i, prompt in enumerate(PROMPTS):
            alone = sample(model, request(prompts=[prompt], streams=np.array([i], dtype=np.float64)))
            self.assertEqual(tokens_of(alone)[0], tokens_of(whole)[i])
        tokens = tokens_of(whole)
        self.assertGreater(len({len(row) for row in tokens}), 1, "no row ended early: the test shows nothing")
        for row, stopped in zip(tokens, whole["stopped"]):
            ends = [i for i, token in enumerate(row) if token in (2, 6)]
            self.assertEqual(ends, [len(row) - 1] if stopped else [])

    def test_log_probabilities_are_the_forward_pass(self):
        for dtype, rough in ((torch.float32, 1e-5), (torch.bfloat16, 0.1)):
            model = small_model(dtype=dtype)
            found = sample(model, request(temperature=0.7, topK=5))
            answered = [prompt + row for prompt, row in zip(PROMPTS, tokens_of(found))]
            read = losses.forward(model, flat(answered, [len(p) for p in PROMPTS]), ["logprobs"], 0.7)["logprobs"]
            self.assertLess(np.abs(read - found["logprobs"]).max(), rough)

    def test_frequencies(self):
        logits = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0]).repeat(20_000, 1)
        numbers = sampler.uniforms(sampler.row_keys(3, np.arange(20_000)), 0)
        for settings, allowed in (({}, 6), ({"topK": 3}, 3), ({"topP": 0.8}, 3), ({"temperature": 0.5}, 6), ({"topK": 4, "topP": 0.5}, 1)):
            one = request(**settings)
            tokens, logprobs = sampler.choose(logits.clone(), one, numbers)
            p = torch.softmax(logits[0].double() / one["temperature"], -1).numpy()
            torch.testing.assert_close(logprobs.double(), torch.log(torch.from_numpy(p))[tokens], rtol=1e-5, atol=1e-5)
            kept = p.copy()
            kept[allowed:] = 0
            kept /= kept.sum()
            counts = np.bincount(tokens.numpy(), minlength=6)
            self.assertTrue((counts[kept == 0] == 0).all())
            spread = np.sqrt(20_000 * kept * (1 - kept)) + 1
            self.assertTrue((np.abs(counts - 20_000 * kept) < 4.5 * spread).all(), (settings, counts))


if __name__ == "__main__":
    unittest.main()
