"""After a failed call: what counts as no memory, and whether the models are what they were."""
import errno
import shutil
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch

from ballast_torch import PROTOCOL, losses
from ballast_torch.errors import EngineError, is_out_of_memory
from ballast_torch.held_model import HeldModel
from ballast_torch.worker import Worker
from tests.small import flat, rows, small_model
from tests.test_low_rank import SIZES, write_base
from tests.test_ranks import STEP

LOSS = dict(name="cross_entropy", sequences=flat([[1, 2, 3, 4], [5, 6, 7]], [2, 1]), weights=rows([[0.5, 0.25], [1.0, -0.5]]))


class OutOfMemoryTest(unittest.TestCase):
    def test_is_recognised_in_each_type(self):
        class OutOfMemoryError(RuntimeError):
            pass

        class AcceleratorError(RuntimeError):
            pass

        for error in (
            OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            AcceleratorError("CUDA error: out of memory"),
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
            RuntimeError("std::bad_alloc"),
            RuntimeError("NCCL error: unhandled cuda error. Last error: Cuda failure 2 'out of memory'"),
            MemoryError(),
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            OSError("Cannot allocate memory (os error 12)"),
        ):
            self.assertTrue(is_out_of_memory(error), repr(error))
        for error in (RuntimeError("shapes differ"), AcceleratorError("CUDA error: an illegal memory access"), OSError(errno.ENOSPC, "No space left"), ValueError("out of memory")):  # fmt: skip
            self.assertFalse(is_out_of_memory(error), repr(error))


class UnchangedTest(unittest.TestCase):
    def setUp(self):
        self.worker = Worker()
        self.worker.call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype="fp32"))
        self.a, self.b = small_model(), small_model(seed=2)
        self.a.id, self.b.id = "model-1", "model-2"
        self.worker.models = {"model-1": self.a, "model-2": self.b}
        self.worker.next = 3
        self.worker.call("forwardBackward", dict(model="model-1", loss=LOSS))
        self.worker.call("optimStep", dict(model="model-1", request=STEP))

    def state(self):
        return {
            id: (model.steps, *(None if array is None else hash(array.numpy().tobytes()) for array in (model.master, model.m, model.v)))
            for id, model in self.worker.models.items()
        }

    def fails(self, verb, args, where, after=0):
        """The call fails in a function, after so many good calls of it. Returns whether it says that the models are as they were; then they are."""
        owner, name = where
        before, real, calls = self.state(), getattr(owner, name), []

        def failing(*given, **named):
            calls.append(name)
            if len(calls) > after:
                raise MemoryError("no more")
            return real(*given, **named)

        with mock.patch.object(owner, name, failing), self.assertRaises(EngineError) as caught:
            self.worker.call(verb, args)
        self.assertEqual(caught.exception.kind, "oom")
        if caught.exception.unchanged:
            self.assertEqual(self.state(), before)
        return caught.exception.unchanged

    def test_calls_that_only_read(self):
        for verb, args, where in (
            ("forward", dict(sequences=LOSS["sequences"], outputs=["logprobs"], temperature=1), (losses, "forward")),
            ("saveModel", dict(folder=tempfile.gettempdir(), optimizer=True), (HeldModel, "whole_of")),
        ):
            self.assertTrue(self.fails(verb, dict(model="model-1", **args), where))
            self.assertTrue(self.a.whole)

    def test_a_pass_drops_gradients_and_says_so(self):
        args = dict(model="model-1", loss=LOSS)
        self.worker.call("forwardBackward", args)
        self.assertTrue(self.fails("forwardBackward", args, (HeldModel, "end_pass")))
        self.assertEqual(self.a.accumulated, 0)

    def test_a_step(self):
        args = dict(model="model-1", request=STEP)
        self.worker.call("forwardBackward", dict(model="model-1", loss=LOSS))
        self.assertTrue(self.fails("optimStep", args, (HeldModel, "moments")))
        self.assertFalse(self.fails("optimStep", args, (torch, "_fused_adamw_"), after=1))

    def test_a_copy_into_a_model(self):
        args = dict(model="model-2", heads=None, scoreValues=[], optimizer=False, into="model-1", merge=False)
        before = self.state()
        self.assertFalse(self.fails("cloneModel", args, (HeldModel, "value_of"), after=3))
        self.assertNotEqual(self.state(), before)
        # It can neither be used nor saved, but is whole again as a copy; the other one goes on.
        for verb, more in (("saveModel", dict(folder="/nowhere", optimizer=False)), ("zeroGrad", {})):
            with self.assertRaisesRegex(EngineError, "model-1 is no longer whole"):
                self.worker.call(verb, dict(model="model-1", **more))
        self.worker.call("zeroGrad", dict(model="model-2"))
        # What fails now is of no model that was whole.
        self.assertTrue(self.fails("cloneModel", {**args, "into": None}, (HeldModel, "value_of"), after=3))
        self.worker.call("cloneModel", args)
        self.worker.call("zeroGrad", dict(model="model-1"))

    def test_a_copy_that_is_refused(self):
        scalar = small_model(("scalar",), tied=False)
        whole = small_model(("lm", "scalar"), tied=False, seed=3)
        self.worker.models = {"model-1": scalar, "model-2": whole}
        before = self.state()
        args = dict(model="model-1", heads=["lm", "scalar"], scoreValues=[0.0] * 8, optimizer=False, into="model-2", merge=False)
        with self.assertRaisesRegex(EngineError, "has no lm_head.weight to copy"):
            self.worker.call("cloneModel", args)
        self.assertEqual(self.state(), before)
        self.assertTrue(whole.whole)

    def test_an_average(self):
        args = dict(target="model-1", source="model-2", decay=0.5)
        self.assertTrue(self.fails("ema", args, (HeldModel, "values")))
        self.assertFalse(self.fails("ema", args, (HeldModel, "round")))

    def test_an_average_of_adapters(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        write_base(folder, "gpt2")
        modules = [f"transformer.h.{i}.mlp.c_fc" for i in (0, 1)]
        shapes = [(f"{m}.lora_{k}.weight", f"block.{i}", size) for i, m in enumerate(modules) for k, size in (("A", [2, 8]), ("B", [32, 2]))]
        values = np.sin(np.arange(2 * 2 * 40)).astype(np.float32)
        own = dict(parameters=shapes, values=values, scales=dict.fromkeys(modules, 1.5))
        decoder = {"family": "gpt2", **SIZES, "textIds": None, "adapter": {}}
        place = dict(folder=folder, decoder=decoder, heads=["lm"], headsFound=["lm"], freshScalar=False, scoreValues=[])
        adapter = self.worker.call("loadModel", dict(**place, own=own, merge=False, optimizer=None, frozen=False))["id"]
        merged = self.worker.call("cloneModel", dict(model=adapter, heads=None, scoreValues=[], optimizer=False, into=None, merge=True))["id"]
        self.worker.models[merged].master.zero_()
        before = self.state()
        self.assertFalse(self.fails("ema", dict(target=merged, source=adapter, decay=0.5), (HeldModel, "merged_value_of"), after=1))
        self.assertNotEqual(self.state(), before)


if __name__ == "__main__":
    unittest.main()
