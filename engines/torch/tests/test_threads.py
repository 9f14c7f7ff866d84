"""The threads of a process: those of its own machine, which the environment names, else those of the call."""
import os
import unittest
from unittest import mock

import torch

from ballast_torch import PROTOCOL
from ballast_torch.worker import Worker


class ThreadsTest(unittest.TestCase):
    def test_those_of_its_machine_are_taken(self):
        before = torch.get_num_threads()
        try:
            for environment, threads in (({"BALLAST_THREADS": "2"}, 2), ({}, 1)):
                with mock.patch.dict(os.environ, environment):
                    hello = Worker().call("open", dict(protocol=PROTOCOL, threads=1, device="cpu", dtype="fp32"))
                self.assertEqual((torch.get_num_threads(), hello["threads"]), (threads, threads))
        finally:
            torch.set_num_threads(before)


if __name__ == "__main__":
    unittest.main()
