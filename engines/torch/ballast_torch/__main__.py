"""Starts the worker on the socket that it inherits as descriptor 3. Any Python runs this file, to say what it lacks."""
import os
import signal
import sys

SOCKET = 3
OLDEST = (3, 11)


def main():
    # The trainer decides what a signal to the whole group means: it still needs its models to save them. The worker ends with the socket.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Whatever a library prints goes to standard error.
    os.dup2(2, 1)
    if sys.version_info < OLDEST:
        lack("Python %d.%d is too old: the PyTorch engine needs %d.%d or later" % (sys.version_info[:2] + OLDEST))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        import torch
        import transformers
        import safetensors
        import numpy
    except ImportError as error:
        lack("%s: %s" % (sys.executable, error))
    for module, oldest in ((torch, (2, 13)), (transformers, (5, 24))):
        found = tuple(int(part) for part in module.__version__.split("+")[0].split(".")[:2])
        if found < oldest:
            lack("%s has %s %s: the PyTorch engine needs %d.%d or later" % ((sys.executable, module.__name__, module.__version__) + oldest))
    from .serve import serve

    serve(SOCKET)


def lack(message):
    """Says on standard error, in one line that the other side looks for, why no worker can run on this Python."""
    sys.stderr.write("\nballast: %s\n" % message)
    sys.exit(78)


main()
