"""The worker ends with its trainer, however that ends."""
import contextlib
import io
import socket
import unittest
from unittest import mock

import torch.distributed as dist

from ballast_torch.ranks import Ranks
from ballast_torch.serve import Server
from ballast_torch.wire import LENGTHS, MOST_HEADER
from tests.test_meeting import free_port


class Ended(BaseException):
    pass


class TrainerGone(unittest.TestCase):
    def ends(self, close, code=0):
        trainer, worker = socket.socketpair()
        server, said = Server(worker), io.StringIO()
        close(trainer, worker)
        with mock.patch("ballast_torch.serve.os._exit", side_effect=Ended) as ended, contextlib.redirect_stderr(said):
            with self.assertRaises(Ended):
                server._read()
        ended.assert_called_once_with(code)
        worker.close()
        return said.getvalue()

    def test_closed(self):
        self.ends(lambda trainer, worker: trainer.close())

    def test_closed_with_an_answer_unread(self):
        """The system then resets the connection."""

        def close(trainer, worker):
            worker.sendall(b"an answer")
            trainer.close()

        self.ends(close)

    def test_a_failure_to_read_is_told(self):
        said = self.ends(lambda trainer, worker: trainer.sendall(LENGTHS.pack(MOST_HEADER + 1, 0)), code=70)
        self.assertEqual(said, f"\nballast: the thread that reads what Ballast sends failed: ValueError: a header of {MOST_HEADER + 1} bytes is no header\n")


class SignsOfLife(unittest.TestCase):
    def rank(self, port):
        ranks = Ranks.__new__(Ranks)
        ranks.rank, ranks.size, ranks._seen, ranks._asked, ranks._place = 1, 2, {}, None, ("127.0.0.1", port)
        ranks._store = mock.Mock()
        ranks._store.set.side_effect = dist.DistNetworkError("Broken pipe")
        return ranks

    def lives(self, ranks, beats):
        """Until as many seconds have passed as it gives signs, or the process ends."""
        with mock.patch("ballast_torch.ranks.time.sleep", side_effect=[None] * (beats - 1) + [Ended]), self.assertRaises(Ended):
            ranks._live()

    def test_go_on_over_a_new_connection(self):
        port = free_port()
        store = dist.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
        self.lives(self.rank(port), 3)
        self.assertEqual(store.get("heart/1"), b"3")

    def test_without_the_first_process_it_ends(self):
        said = io.StringIO()
        with mock.patch("ballast_torch.ends.os._exit", side_effect=Ended) as ended, contextlib.redirect_stderr(said):
            self.lives(self.rank(free_port()), 3)
        ended.assert_called_once_with(70)
        self.assertRegex(said.getvalue(), r"^\nballast: process 1 of 2: the first process is gone: Broken pipe; .*Connection refused\n$")


if __name__ == "__main__":
    unittest.main()
