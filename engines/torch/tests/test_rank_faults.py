"""What goes wrong on one rank of several: a full disk, no memory to gather or to sample; and ranks that have no row of a parameter."""
import errno
import io
import os
import shutil
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from safetensors.torch import load_file
from torch.distributed.fsdp import FSDPModule
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GPT2Config

from ballast_torch import PROTOCOL, model_files, sampler, sharded_model
from ballast_torch.errors import EngineError
from ballast_torch.ranks import ranks_here
from ballast_torch.serve import _told
from ballast_torch.worker import Lost, Worker
from tests.small import flat, rows
from tests.test_low_rank import CONFIGS, SIZES, write_base
from tests.test_meeting import Processes, free_port, leave
from tests.test_ranks import STEP

# Of nine rows the fourth of four ranks has none.
NINE = GPT2Config(bos_token_id=None, eos_token_id=None, vocab_size=9, n_positions=12, n_embd=8, n_layer=2, n_head=2)
# Numbers of its smallest parameters.
SMALLEST = 8
SEQUENCES = flat([np.array(text) for text in ([1, 2, 3, 4], [5, 6, 7], [8, 0, 1, 2, 3])], [2, 1, 1])
LOSS = dict(name="cross_entropy", sequences=SEQUENCES, weights=rows([[0.5, 0.25], [1.0, 0.5], [0.3, 0.2, 0.1, 0.4]]))
READ = dict(sequences=SEQUENCES, outputs=["logprobs"], temperature=1)
PROMPTS = {key: SEQUENCES[key] for key in ("tokens", "lengths")}
SAMPLE = dict(prompts=PROMPTS, maxNewTokens=3, stopTokens=[], temperature=1, topK=0, topP=1, seed=3)


class Full(io.BufferedWriter):
    """A file on a disk with room for 400 bytes of it."""

    def write(self, data):
        if self.tell() + len(data) > 400:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


class Allocated(TorchDispatchMode):
    """The largest array that is made in it, in numbers; shapes only are none."""

    most = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor) and found.device.type != "meta":
            self.most = max(self.most, found.numel())
        return found


def opened(ranks=None):
    worker = Worker() if ranks is None else Worker(ranks=ranks)
    worker.call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype="fp32"))
    return worker


def load(worker, folder, optimizer=None):
    decoder = {"family": "gpt2", **SIZES, "vocabularySize": 9, "textIds": None}
    place = dict(folder=folder, decoder=decoder, headsFound=["lm"], freshScalar=False, scoreValues=[], merge=False, frozen=False)
    return worker.call("loadModel", dict(**place, heads=["lm"], own=None, optimizer=optimizer))["id"]


def train(worker, model):
    worker.call("forwardBackward", dict(model=model, loss=LOSS))
    return worker.call("optimStep", dict(model=model, request=STEP))["gradNorm"]


def read(worker, model):
    return worker.call("forward", dict(model=model, **READ))["logprobs"]


def failure_of(worker, verb, args):
    try:
        worker.call(verb, args)
    except EngineError as error:
        return f"{error.kind}: {error}"
    except Lost as error:
        return f"lost: {_told(error)}"


class RankFaultsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        with mock.patch.dict(CONFIGS, nine=NINE):
            write_base(self.folder, "nine")

    def story(self, work, size=2):
        """What each rank returns of `work(ranks)`."""
        processes = Processes(self, "127.0.0.1", free_port(), size)

        def of(rank):
            ranks = ranks_here()
            found = work(ranks)
            leave(ranks)
            return found

        for rank in range(size):
            processes.start(rank, lambda: of(rank))
        return processes.said(60)

    def into(self, name):
        folder = f"{self.folder}/{name}"
        os.makedirs(folder, exist_ok=True)
        shutil.copy(f"{self.folder}/config.json", folder)
        return folder

    def test_a_full_disk_fails_the_save_and_nothing_else(self):
        full, kept = self.into("full"), self.into("kept")

        def work(ranks):
            worker = opened(ranks)
            model = load(worker, self.folder)
            train(worker, model)
            before = read(worker, model)
            with mock.patch.object(model_files, "open", lambda path, mode: Full(io.FileIO(path, mode)), create=True):
                failed = failure_of(worker, "saveModel", dict(model=model, folder=full, optimizer=True))
            same = np.array_equal(before, read(worker, model))
            worker.call("saveModel", dict(model=model, folder=kept, optimizer=True))
            return failed, same, np.array_equal(read(worker, load(worker, kept, kept)), before)

        expected = ("worker: saveModel: OSError: [Errno 28] No space left on device", True, True)
        self.assertEqual(self.story(work), [str(expected)] * 2)
        self.assertEqual(sorted(os.listdir(kept)), ["config.json", "model.safetensors", "optimizer.safetensors"])

    def test_one_without_memory_to_gather_ends_and_says_why(self):
        def work(ranks):
            worker = opened(ranks)
            model = load(worker, self.folder)
            if ranks.rank == 1:
                mock.patch.object(FSDPModule, "unshard", side_effect=MemoryError("9 GB")).start()
            return failure_of(worker, "sample", dict(model=model, request=SAMPLE))

        first, second = self.story(work)
        self.assertRegex(second, r"^lost: sample: there was not enough memory on cpu: 9 GB \(Generation holds")
        self.assertRegex(first, "(?i)connection|closed|reset")

    def test_one_without_memory_to_sample_is_named_and_all_go_on(self):
        def work(ranks):
            worker = opened(ranks)
            model = load(worker, self.folder)
            with mock.patch.object(sampler, "_batch", side_effect=MemoryError("9 GB") if ranks.rank == 1 else sampler._batch):
                failed = failure_of(worker, "sample", dict(model=model, request=SAMPLE))
            tokens = worker.call("sample", dict(model=model, request=SAMPLE))["tokens"]
            # What was gathered for the failed call is not what later ones read.
            train(worker, model)
            place = dict(heads=None, scoreValues=[], optimizer=False, into=None, merge=False)
            copy = worker.call("cloneModel", dict(model=model, **place))["id"]
            return failed, len(tokens), np.array_equal(read(worker, model), read(worker, copy))

        expected = ("oom: process 1 of 2: sample: there was not enough memory on cpu: 9 GB", 9, True)
        self.assertEqual(self.story(work), [str(expected)] * 2)

    def test_four_ranks_one_without_rows_resume_and_never_hold_a_whole_parameter(self):
        def work(ranks):
            worker, allocated = opened(ranks), Allocated()
            trunk_of = sharded_model.ShardedTrunk

            def counted(*args, **place):
                with allocated:
                    return trunk_of(*args, **place)

            with mock.patch.object(sharded_model, "ShardedTrunk", counted):
                model = load(worker, self.folder)
            return told(worker, model, ranks.size) + [allocated.most < SMALLEST]

        def told(worker, model, size):
            folder, norms = self.into(f"of-{size}"), [train(worker, model)]
            worker.call("saveModel", dict(model=model, folder=folder, optimizer=True))
            again = load(worker, folder, folder)
            norms += [train(worker, model), train(worker, again)]
            logprobs = read(worker, model)
            same = np.array_equal(logprobs, read(worker, again))
            return [[round(norm, 4) for norm in norms], [round(float(one), 4) for one in logprobs], same]

        worker = opened()
        alone = told(worker, load(worker, self.folder), 1)
        self.assertEqual(self.story(work, 4), [str(alone + [True])] * 4)
        files = [load_file(f"{self.folder}/of-{size}/optimizer.safetensors") for size in (1, 4)]
        self.assertEqual(*map(list, files))
        for name, one in files[0].items():
            torch.testing.assert_close(files[1][name], one, rtol=1e-3, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
