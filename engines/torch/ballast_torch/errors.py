"""What goes wrong in a call: a kind that the other side knows, what to do, and whether the models are as they were before the call."""
import errno
import re


class EngineError(Exception):
    """`kind`: `usage`, `checkpoint`, `oom`, `worker` or `cancelled`. `unchanged`: whether weights and optimizers of all models are those of before the call.

    Gradients are none of these: after a pass that failed, the message says that they were dropped.
    """

    def __init__(self, kind: str, message: str, hint: str | None = None, unchanged: bool = True):
        super().__init__(message)
        self.kind = kind
        self.hint = hint
        self.unchanged = unchanged

    def __reduce__(self):
        return EngineError, (self.kind, str(self), self.hint, self.unchanged)


def usage(message: str, hint: str | None = None) -> EngineError:
    return EngineError("usage", message, hint)


def damaged(message: str, hint: str | None = None) -> EngineError:
    return EngineError("checkpoint", message, hint)


# PyTorch's allocators and the libraries below it: CUDA's allocator, the CPU's, CUDA, cuBLAS, NCCL, C++.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|not enough memory|_STATUS_ALLOC_FAILED|bad_alloc", re.IGNORECASE
)


def is_out_of_memory(error: BaseException) -> bool:
    """They say it in different types: CUDA's allocator has its own, the system's calls OSError, most others are RuntimeErrors of C++."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    # safetensors raises OSErrors without a number.
    return isinstance(error, (RuntimeError, OSError)) and _OUT_OF_MEMORY.search(str(error)) is not None
