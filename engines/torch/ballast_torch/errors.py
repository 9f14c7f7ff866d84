"""What goes wrong in a call: a kind that the other side knows, what to do, and whether the models are as they were before the call."""


class EngineError(Exception):
    """`kind`: `usage`, `checkpoint`, `oom`, `worker` or `cancelled`. `unchanged`: whether every model is as it was before the call."""

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


def is_out_of_memory(error: BaseException) -> bool:
    """PyTorch's allocators say it in different types: CUDA's has its own, the CPU's is a RuntimeError."""
    if isinstance(error, MemoryError) or type(error).__name__ in ("OutOfMemoryError", "AcceleratorError"):
        return "out of memory" in str(error) or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "not enough memory" in text)
