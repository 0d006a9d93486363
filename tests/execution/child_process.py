"""Child processes that end with the test that started them, even if that is killed."""

import ctypes
import signal
import sys

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent():
    """Let the system kill this process when its parent dies; used as ``preexec_fn`` of Popen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    # A process that hangs ends too.
    signal.alarm(290)
