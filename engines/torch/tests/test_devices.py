"""Which device each process takes, what of it is told, and what takes less of its memory. No device is needed."""
import unittest
from types import SimpleNamespace
from unittest import mock

import torch

from ballast_torch import PROTOCOL
from ballast_torch.errors import EngineError
from ballast_torch.worker import Worker, _device, _first_of_one_kind, memory_on
from tests.small import flat, small_model


class DevicesTest(unittest.TestCase):
    def chosen(self, name, size=1, local_rank=0):
        """The device of a rank on a machine with CUDA devices, and the one that it makes the current one."""
        opened = lambda _, device: SimpleNamespace(device=torch.device("cuda:0" if device == "cuda" else device))
        with mock.patch.object(torch.cuda, "is_available", return_value=True), mock.patch.object(torch, "empty", opened), mock.patch.object(
            torch.cuda, "set_device"
        ) as current:
            device = _device(name, SimpleNamespace(size=size, local_rank=local_rank))
        return str(device), [str(*call.args) for call in current.call_args_list]

    def test_each_process_of_a_machine_computes_on_its_own(self):
        for name in ("cuda", "auto"):
            self.assertEqual(self.chosen(name, 4, 2), ("cuda:2", ["cuda:2"]))
        self.assertEqual(self.chosen("cuda:1"), ("cuda:1", ["cuda:1"]))
        self.assertEqual(self.chosen("cpu", 4, 2), ("cpu", []))

    def test_one_device_for_several_processes_is_refused(self):
        with self.assertRaisesRegex(EngineError, "device is cuda:1, and there are 4 processes: each takes a device of its own"):
            self.chosen("cuda:1", 4, 2)

    def test_devices_of_two_kinds_are_refused(self):
        hello = lambda device: {"device": device}
        self.assertEqual(_first_of_one_kind([hello("cuda:0"), hello("cuda:1")]), hello("cuda:0"))
        with self.assertRaisesRegex(EngineError, "process 0 computes on cuda, and process 2 on cpu"):
            _first_of_one_kind([hello("cuda:0"), hello("cuda:1"), hello("cpu")])

    def test_memory_of_a_device_is_told(self):
        with mock.patch.object(torch.cuda, "memory_reserved", return_value=3 << 20):
            found = memory_on(torch.device("cuda:1"))
        self.assertEqual(found["deviceMb"], 3)
        self.assertEqual(list(memory_on(torch.device("cpu"))), ["residentMb"])
        self.assertGreater(Worker().call("usage", {})["residentMb"], 50)

    def test_no_memory_to_sample_names_what_generation_takes(self):
        worker = Worker()
        worker.call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype="fp32"))
        worker.models["model-1"] = small_model()
        sequences = flat([[1, 2, 3]], [1])
        request = dict(prompts=sequences, maxNewTokens=4, stopTokens=[], temperature=1, topK=0, topP=1, seed=3)
        for verb, args, hint in (
            ("sample", dict(request=request), "whatever microBatch is: lower maxNewTokens"),
            ("forward", dict(sequences=sequences, outputs=["logprobs"], temperature=1), "^Set microBatch to a smaller number"),
            ("cloneModel", dict(heads=None, scoreValues=[], optimizer=False, into=None, merge=False), "lower the model's size"),
        ):
            with mock.patch.object(Worker, "_named", side_effect=MemoryError), self.assertRaises(EngineError) as caught:
                worker.call(verb, dict(model="model-1", **args))
            self.assertEqual(caught.exception.kind, "oom")
            self.assertRegex(caught.exception.hint, hint)


if __name__ == "__main__":
    unittest.main()
