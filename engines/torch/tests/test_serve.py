"""The worker ends with its trainer, however that ends."""
import socket
import unittest
from unittest import mock

from ballast_torch.serve import Server


class Ended(BaseException):
    pass


class TrainerGone(unittest.TestCase):
    def ends(self, close):
        trainer, worker = socket.socketpair()
        server = Server(worker)
        close(trainer, worker)
        with mock.patch("ballast_torch.serve.os._exit", side_effect=Ended):
            with self.assertRaises(Ended):
                server._read()
        worker.close()

    def test_closed(self):
        self.ends(lambda trainer, worker: trainer.close())

    def test_closed_with_an_answer_unread(self):
        """The system then resets the connection."""

        def close(trainer, worker):
            worker.sendall(b"an answer")
            trainer.close()

        self.ends(close)


if __name__ == "__main__":
    unittest.main()
