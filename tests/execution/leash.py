"""Processes that never outlive the test that started them, not even when it is killed itself."""

import ctypes
import signal
import sys

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def leash():
    """Let the system kill this process when its parent dies; to be given to Popen as ``preexec_fn``."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    # Whatever hangs ends by itself, too.
    signal.alarm(290)
