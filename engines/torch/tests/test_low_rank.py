"""Low-rank products against loops, by finite differences, in copies of a trunk; shared weights, which exist once and go with their last model."""
import gc
import os
import shutil
import tempfile
import unittest

import torch
from transformers import GPT2Config, LlamaConfig

from ballast_torch import architectures, losses
from ballast_torch.held_model import trunk_specs
from ballast_torch.low_rank import factors_of
from ballast_torch.model_files import write_tensors
from ballast_torch.open_model import open_on_shared
from ballast_torch.ranks import Alone
from ballast_torch.shared_weights import Shelf
from tests.small import flat, rows

CPU = torch.device("cpu")
RANK, SCALE = 2, 1.5
SIZES = dict(vocabularySize=13, context=12, width=8, layers=2, heads=2, tieEmbeddings=True)
CONFIGS = {
    "gpt2": GPT2Config(bos_token_id=None, eos_token_id=None, vocab_size=13, n_positions=12, n_embd=8, n_layer=2, n_head=2),
    "llama": LlamaConfig(
        bos_token_id=None, eos_token_id=None, vocab_size=13, max_position_embeddings=12, hidden_size=8, intermediate_size=16,
        num_hidden_layers=2, num_attention_heads=2, tie_word_embeddings=True,
    ),
}
MODULES = {"gpt2": "transformer.h.1.mlp.c_fc", "llama": "model.layers.1.mlp.down_proj"}


def write_base(folder, family, seed=1, head=False):
    config = CONFIGS[family]
    config.save_pretrained(folder)
    trunk = architectures.build_trunk(config, CPU)
    generator = torch.Generator().manual_seed(seed)
    specs = trunk_specs(config, trunk)
    shapes = {name: shape for name, _, shape in specs} | ({"lm_head.weight": (13, 8)} if head else {})
    write_tensors(f"{folder}/model.safetensors", shapes, lambda name: 0.3 * torch.randn(shapes[name], generator=generator))
    return config, trunk


class LowRankTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.shelf = Shelf()

    def model(self, family, dtype=torch.float32, folder=None):
        module = MODULES[family]
        weight = architectures.build_trunk(CONFIGS[family], CPU).get_submodule(module.split(".", 1)[1]).weight
        outputs, inputs = reversed(weight.shape) if family == "gpt2" else weight.shape
        a, b = factors_of(module)
        shapes = [(a, "block.1", [RANK, inputs]), (b, "block.1", [outputs, RANK])]
        values = 0.3 * torch.randn(RANK * (inputs + outputs), generator=torch.Generator().manual_seed(2))
        own = {"parameters": shapes, "values": values.numpy(), "scales": {module: SCALE}}
        decoder = {"family": family, **SIZES, "textIds": None, "adapter": {}}
        return open_on_shared(
            self.shelf, folder or self.folder, ranks=Alone(), id="m", decoder=decoder, heads=["lm"], dtype=dtype, device=CPU, heads_found=["lm"], own=own
        )

    def test_a_projection_is_that_of_loops(self):
        for family in CONFIGS:
            write_base(self.folder, family)
            model = self.model(family)
            module = MODULES[family]
            a, b = (model.value_of(name) for name in factors_of(module))
            w = model.value_of(f"{module}.weight")
            projection = model.trunk.get_submodule(module.split(".", 1)[1])
            x = torch.randn(3, a.shape[1], generator=torch.Generator().manual_seed(3))
            bias = model.value_of(f"{module}.bias") if family == "gpt2" else torch.zeros(len(b))
            merged = model.merged_value_of(f"{module}.weight")
            for n in range(3):
                for o in range(len(b)):
                    product = [sum(float(b[o, r] * a[r, i]) for r in range(RANK)) for i in range(a.shape[1])]
                    plain = [float(w[i, o] if family == "gpt2" else w[o, i]) for i in range(a.shape[1])]
                    expected = float(bias[o]) + sum(float(x[n, i]) * (plain[i] + SCALE * product[i]) for i in range(a.shape[1]))
                    self.assertAlmostEqual(float(projection(x).detach()[n, o]), expected, places=5)
                    for i in range(a.shape[1]):
                        self.assertAlmostEqual(float(merged[i, o] if family == "gpt2" else merged[o, i]), plain[i] + SCALE * product[i], places=5)

    def test_gradients_by_finite_differences(self):
        import numpy as np

        texts = [np.array([1, 5, 2, 7]), np.array([3, 4, 9])]
        loss = {"name": "cross_entropy", "sequences": flat(texts, [1, 1]), "weights": rows([[0.5, 1.0, 0.25], [1.0, 0.7]])}
        for family in CONFIGS:
            write_base(self.folder, family)
            model = self.model(family)
            losses.forward_backward(model, loss)
            gradient = model.gradient.clone()
            for i in range(0, model.size, 5):
                before, sides = model.master[i].item(), []
                for side in (1e-2, -1e-2):
                    model.master[i] = before + side
                    sides.append(losses.forward_backward(model, loss)["loss"])
                model.master[i] = before
                self.assertAlmostEqual((sides[0] - sides[1]) / 2e-2, float(gradient[i]), delta=2e-3)

    def test_a_copy_computes_with_its_own_factors(self):
        write_base(self.folder, "gpt2")
        model = self.model("gpt2")
        copy = model.like("copy", ["lm"])
        copy.copy_values(model, [])
        module = "h.1.mlp.c_fc"
        x = torch.ones(1, 8)
        before = model.trunk.get_submodule(module)(x)
        self.assertTrue(torch.equal(copy.trunk.get_submodule(module)(x), before))
        copy.master.add_(1)
        self.assertFalse(torch.equal(copy.trunk.get_submodule(module)(x), before))
        self.assertTrue(torch.equal(model.trunk.get_submodule(module)(x), before))

    def test_models_of_one_folder_share_its_weights_until_the_last_is_gone(self):
        for dtype in (torch.float32, torch.bfloat16):
            write_base(self.folder, "gpt2")
            link = f"{self.folder}-link"
            os.symlink(self.folder, link)
            self.addCleanup(lambda path=link: os.path.lexists(path) and os.unlink(path))
            models = [self.model("gpt2", dtype), self.model("gpt2", dtype, folder=link)]
            models.append(models[0].like("copy", ["lm"]))
            places = [[p.data_ptr() for p in model.trunk.parameters()] for model in models]
            self.assertEqual(places[0], places[1])
            self.assertEqual(places[0], places[2])
            self.assertEqual(len(self.shelf._held), 1)
            # Without the collector of cycles: nothing waits for it.
            gc.disable()
            try:
                models.clear()
                self.assertEqual(len(self.shelf._held), 0)
            finally:
                gc.enable()
            os.unlink(link)

    def test_another_file_is_read_anew(self):
        write_base(self.folder, "gpt2", seed=1)
        first = self.model("gpt2")
        write_base(self.folder, "gpt2", seed=2)
        second = self.model("gpt2")
        name = "transformer.wte.weight"
        self.assertFalse(torch.equal(first.value_of(name), second.value_of(name)))


if __name__ == "__main__":
    unittest.main()
