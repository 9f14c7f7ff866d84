"""The worker's two threads: one computes, call by call; the other reads the socket, answers pings at once, and takes calls back.

Of several ranks the first has the trainer's socket to speak over, and gives every call to the others; a rank started by the trainer has a socket
too, over which nothing comes: it closes when the trainer ends.
"""
import os
import queue
import socket
import threading
import time

from .ends import LOST, NOT_MET, end, first_line
from .errors import EngineError
from .meeting import NotMet
from .ranks import Alone, ranks_here
from .wire import frame_parts, read_frame
from .worker import Lost, Worker, memory_on

# Seconds between two frames that say how far a call is.
TELL = 0.5


class Server:
    def __init__(self, connection, meet=lambda missing: Alone()):
        """`meet` gives the ranks once all are there, and tells meanwhile who is missing."""
        self.stream = connection.makefile("rb")
        self.connection = connection
        self.meet = meet
        self.ranks, self.missing = Alone(), []
        self.writing = threading.Lock()
        self.calls = queue.Queue()
        # Ids of calls that were taken back before they had an answer.
        self.cancelled = set()
        # The id, verb and start of the call in progress, and when it was last known to move.
        self.current = None
        self.moved = self.told = 0.0
        self.worker = None

    def run(self):
        # Before the others are there: meanwhile it answers pings, and ends with the trainer.
        threading.Thread(target=self._read, daemon=True).start()
        self.ranks = self.meet(self._lacks)
        self.worker = Worker(self._step, self.ranks)
        while True:
            message = self.calls.get()
            if message is None:
                return
            self._answer(message)

    def _read(self):
        """Until the other side closes: then there is nobody to compute for, whatever is in progress."""
        try:
            self._receive()
        except ConnectionError:
            # A trainer that is killed with answers unread resets the connection.
            pass
        except BaseException as error:
            # Nothing would be answered any more.
            end(LOST, f"the thread that reads what Ballast sends failed: {type(error).__name__}: {first_line(error)}")
        os._exit(0)

    def _receive(self):
        while (message := read_frame(self.stream)) is not None:
            if message["verb"] == "ping":
                self._pong(message)
            elif message["verb"] == "cancel":
                self.cancelled.add(message["args"]["call"])
                self.ranks.take_back(message["args"]["call"])
            else:
                self.calls.put(message)

    def _pong(self, message):
        current = self.current
        now = time.monotonic()
        busy = None if current is None else {"verb": current[1], "seconds": now - current[2], "still": now - self.moved}
        memory = memory_on(None if self.worker is None else self.worker.device)
        answer = {"busy": busy, **memory, "silent": self.ranks.silence(), "missing": self.missing}
        self._send({"id": message["id"], "result": answer})

    def _answer(self, message):
        call, verb = message["id"], message["verb"]
        self.moved = self.told = time.monotonic()
        self.current = (call, verb, self.moved)
        try:
            self._interrupted()
            self.ranks.share(message)
            answer = {"id": call, "result": self.worker.call(verb, message["args"])}
        except EngineError as error:
            answer = {
                "id": call,
                "error": {"kind": error.kind, "message": str(error), "hint": error.hint, "unchanged": error.unchanged},
            }
        self.current = None
        self.cancelled.discard(call)
        self._send(answer)

    def _interrupted(self):
        if self.current is not None and self.current[0] in self.cancelled:
            raise EngineError("cancelled", f"{self.current[1]} was taken back")

    def _lacks(self, missing):
        self.missing = missing

    def _step(self, done, of):
        self._interrupted()
        self.moved = time.monotonic()
        if self.current is not None and self.moved - self.told >= TELL:
            self.told = self.moved
            self._send({"id": self.current[0], "progress": {"done": int(done), "of": int(of)}})

    def _send(self, message):
        with self.writing:
            for part in frame_parts(message):
                self.connection.sendall(part)


class Follower:
    """A rank that is not spoken to: it does what the first one does."""

    def __init__(self, ranks):
        self.ranks = ranks
        self.call = None
        self.worker = Worker(self._step, ranks)

    def run(self):
        while True:
            message = self.ranks.share(None)
            self.call = (message["id"], message["verb"])
            try:
                self.worker.call(message["verb"], message["args"])
            except EngineError:
                # The first rank tells it.
                pass

    def _step(self, done, of):
        if self.ranks.taken_back(self.call[0]):
            raise EngineError("cancelled", f"{self.call[1]} was taken back")


def serve(descriptor):
    """Until the trainer closes its socket, or another rank is lost."""
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        if rank == 0:
            Server(socket.socket(fileno=descriptor), ranks_here).run()
        else:
            threading.Thread(target=_until_closed, daemon=True).start()
            Follower(ranks_here()).run()
    except NotMet as error:
        end(NOT_MET, str(error))
    except Exception as error:
        if size == 1:
            raise
        end(LOST, f"process {rank} of {size}: {_told(error)}")


def _told(error):
    """What failed here, or that others are gone."""
    if isinstance(error, Lost):
        cause = error.args[0]
        return f"{cause} ({cause.hint})" if cause.hint else str(cause)
    return f"{type(error).__name__}: {first_line(error)}"


def _until_closed():
    """A rank that another launcher started has no socket; it ends when the first one does."""
    try:
        trainer = socket.socket(fileno=int(os.environ["BALLAST_SOCKET"]))
    except (KeyError, ValueError, OSError):
        return
    try:
        while trainer.recv(4096):
            pass
    finally:
        os._exit(0)
