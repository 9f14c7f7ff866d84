"""The worker's two threads: one computes, call by call; the other reads the socket, answers pings at once, and takes calls back."""
import os
import queue
import socket
import threading
import time

from .errors import EngineError
from .wire import frame_parts, read_frame
from .worker import Worker, resident_mb


class Server:
    def __init__(self, connection):
        self.stream = connection.makefile("rb")
        self.connection = connection
        self.writing = threading.Lock()
        self.calls = queue.Queue()
        # Ids of calls that were taken back before they had an answer.
        self.cancelled = set()
        # The id, verb and start of the call in progress.
        self.current = None
        self.worker = Worker(self._interrupted)

    def run(self):
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            message = self.calls.get()
            if message is None:
                return
            self._answer(message)

    def _read(self):
        """Until the other side closes: then there is nobody to compute for, whatever is in progress."""
        try:
            self._receive()
        finally:
            # A trainer that is killed with answers unread resets the connection, which raises: the worker must end all the same.
            os._exit(0)

    def _receive(self):
        while (message := read_frame(self.stream)) is not None:
            if message["verb"] == "ping":
                self._pong(message)
            elif message["verb"] == "cancel":
                self.cancelled.add(message["args"]["call"])
            else:
                self.calls.put(message)

    def _pong(self, message):
        current = self.current
        busy = None if current is None else {"verb": current[1], "seconds": time.monotonic() - current[2]}
        self._send({"id": message["id"], "result": {"busy": busy, "residentMb": resident_mb()}})

    def _answer(self, message):
        call, verb = message["id"], message["verb"]
        self.current = (call, verb, time.monotonic())
        try:
            self._interrupted()
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

    def _send(self, message):
        with self.writing:
            for part in frame_parts(message):
                self.connection.sendall(part)


def serve(descriptor):
    Server(socket.socket(fileno=descriptor)).run()
