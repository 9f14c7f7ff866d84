"""The optimizer offloaded to the host: on two devices that are one, the same bits as without; on two that differ, no operation on numbers of both."""
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from ballast_torch import PROTOCOL, losses, model_files, optimizer, sampler
from ballast_torch.errors import EngineError
from ballast_torch.turns import Turns
from ballast_torch.worker import Worker, _check_offload
from tests.small import flat, rows, small_model
from tests.test_low_rank import write_base
from tests.test_ranks import story

CPU = torch.device("cpu")
SEQUENCES = flat([[1, 2, 3, 4], [5, 6, 7]], [2, 1])
LOSS = {"name": "cross_entropy", "sequences": SEQUENCES, "weights": rows([[0.5, 0.25], [1.0, -0.5]])}
ADAM = dict(learningRate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-8, weightDecay=0.1, maxGradNorm=1.0)


class Offloading(Worker):
    """A worker that opens on a CPU, and computes on another device, by default also the CPU."""

    def __init__(self, device=CPU):
        super().__init__()
        self.passes = device

    def do_open(self, **args):
        answer = super().do_open(**args)
        self.device, self.host = self.passes, CPU
        return answer


class OffloadTest(unittest.TestCase):
    def test_the_same_bits(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        for family in ("gpt2", "llama"):
            write_base(f"{folder}/{family}", family, head=family == "llama")
            for dtype in ("fp32", "bf16"):
                found = {}
                # Names of one length: what is found includes the lengths of messages with them.
                for name, worker in (("here", Worker()), ("host", Offloading())):
                    base = f"{folder}/{family}-{dtype}-{name}"
                    shutil.copytree(f"{folder}/{family}", base)
                    found[name] = story(worker, base, dtype, family)
                    found[name]["files"] = _files(base)
                    self.assertEqual({model.offloads for model in worker.models.values()}, {name == "host"})
                for key, value in found["here"].items():
                    with self.subTest(family=family, dtype=dtype, key=key):
                        self.assertEqual(repr(value), repr(found["host"][key]))

    def test_no_operation_takes_numbers_of_both_devices(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        write_base(folder, "gpt2")
        # A process of its own: the second device is there for all of it.
        torch.multiprocessing.spawn(on_a_card, (folder,), nprocs=1)

    def test_passes_read_arrays_of_their_own_one_for_all_trained_models(self):
        for dtype in (torch.float32, torch.bfloat16):
            turns = Turns()
            a, b = (small_model(("lm", "scalar"), dtype, seed=seed, turns=turns, host=CPU) for seed in (1, 2))
            self.assertEqual(a.rounded.data_ptr(), b.rounded.data_ptr())
            for model in (a, b):
                losses.forward_backward(model, LOSS)
                optimizer.optim_step(model, **ADAM)
                held = {array.untyped_storage().data_ptr() for array in (model.master, model.gradient, model.m, model.v)}
                read = [*model.trunk.parameters(), *model.beside.values()]
                self.assertEqual(held & {parameter.untyped_storage().data_ptr() for parameter in read}, set())

    def test_where_there_is_nothing_to_offload_it_is_refused(self):
        one, two = Worker().ranks, type("Two", (), {"size": 2})
        for arguments, message in (
            (("optimizer", CPU, one), "the device is cpu: weights in float32, gradients and Adam's moments are on the host already"),
            (("optimizer", torch.device("cuda"), two), "there are 2 processes"),
            (("weights", torch.device("cuda"), one), "offload is weights; it must be optimizer"),
        ):
            with self.assertRaisesRegex(EngineError, message):
                _check_offload(*arguments)
        _check_offload("optimizer", torch.device("cuda"), one)
        with self.assertRaisesRegex(EngineError, "on the host already"):
            Worker().call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype="fp32", offload="optimizer"))


def _files(folder):
    """The bytes of every file below a folder, by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def on_a_card(_, folder):
    """A worker's calls on a device without numbers: PyTorch's fake tensors have shapes and places, and refuse what takes tensors of two places.

    Generation is left out: how many tokens it takes depends on the numbers.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend("card")
    card, placed = torch.device("card:0"), []

    def counted(model, loss, old_model=None):
        found = losses_of(model, loss, old_model)
        arrays = (model.master, model.gradient, *model.trunk.parameters(), *model.beside.values())
        placed.append([array.device.type for array in arrays])
        return found

    def made(data, device=CPU, **options):
        made_of = tensor_of(data, **options)
        # Otherwise its numbers are followed, which no card has.
        made_of.constant = None
        return made_of.to(device)

    tensor_of, losses_of = torch.tensor, losses.forward_backward
    read = lambda opened, name, parameter: torch.zeros(opened.get_slice(name).get_shape())
    known = lambda value: lambda tensor: value
    zeros = lambda tensor: np.zeros(tuple(tensor.to(CPU).shape), dtype=np.float32)
    sampled = lambda model, head, request, prompts, *_: [(np.zeros(1), np.zeros(1))] * len(prompts)
    with FakeTensorMode(allow_non_fake_inputs=True), mock.patch.multiple(
        torch.Tensor, __float__=known(1.0), __bool__=known(True), __int__=known(1 << 40), numpy=zeros
    ), mock.patch.multiple(losses, _numbers=zeros, forward_backward=counted), mock.patch.object(model_files, "_rows", read), mock.patch.object(
        sampler, "_batch", sampled
    ), mock.patch.object(torch, "tensor", made):
        for dtype in ("fp32", "bf16"):
            story(Offloading(card), folder, dtype, "gpt2")
    assert len(placed) > 20
    for master, gradient, *passes in placed:
        assert (master, gradient, {*passes}) == ("cpu", "cpu", {"card"}), (master, gradient, passes)


if __name__ == "__main__":
    unittest.main()
