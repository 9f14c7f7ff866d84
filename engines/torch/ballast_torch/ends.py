"""How a process of the worker ends before its trainer does: with a code, and the cause on standard error."""
import os
import sys

# One that failed while others waited for it, or that lost them or its reading thread (sysexits.h: EX_SOFTWARE).
LOST = 70
# One that could not meet the others (EX_UNAVAILABLE).
NOT_MET = 69


def end(code, line):
    """At once, without a farewell to other processes, which wait for this one. The line is one that the trainer looks for."""
    sys.stderr.write(f"\nballast: {line}\n")
    sys.stderr.flush()
    os._exit(code)


def first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
