"""Eight probes that run in every confined process before it gets foreign code: each tries to get out, and must not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import SandboxError

PROBES = {
    "home": "read the home folder",
    "environment": "read the environment of this program",
    "socket": "open a connection",
    "program": "start a program",
    "process": "start a process",
    "signal": "send a signal to this program",
    "link": "make a symbolic link",
    "memory": "take more memory than allowed",
}
"""Name -> what is tried."""
_CODE = """
def _probe():
    import ctypes, json, os, resource, socket
    home, host = {home!r}, {host}
    def environment():
        if set(os.environ) - set({names!r}):
            return
        open(f"/proc/{{host}}/environ", "rb").read(1)
    def memory():
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit > 0:
            bytearray(limit)
    libc = ctypes.CDLL(None, use_errno=True)
    def process():
        if os.fork() == 0:
            os._exit(0)
    def program():
        libc.execve(b"/bin/true", None, None)
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    tries = dict(
        home=lambda: os.listdir(home), environment=environment, socket=lambda: socket.socket().close(),
        program=program, process=process, signal=lambda: os.kill(host, 0),
        link=lambda: os.symlink("/", "probe"), memory=memory,
    )
    found = {{}}
    for name, attempt in tries.items():
        try:
            attempt()
        except (OSError, MemoryError) as error:
            found[name] = getattr(error, "strerror", None) or type(error).__name__
        else:
            found[name] = ""
    print(json.dumps(found))
_probe()
del _probe
"""
_VARIABLES = (
    *("LANG", "MPLBACKEND", "MPLCONFIGDIR", "PYTHONHASHSEED", "HOME", "PWD", "LC_CTYPE"),
    *(f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found."""

    name: str
    held: bool
    said: str
    """How the attempt failed, in the system's words."""


def run(probe: Callable[[str], str]) -> tuple[Finding, ...]:
    """Run the probes in a process.

    Parameters
    ----------
    probe : callable
        Runs code in it and returns what that printed.

    Raises
    ------
    SandboxError
        If one of them got out; ``facts["findings"]`` holds all.
    """
    try:
        home = str(Path.home())
    except RuntimeError:
        home = "/root"
    said = probe(_CODE.format(home=home, host=os.getpid(), names=_VARIABLES))
    try:
        found = {name: str(text) for name, text in json.loads(said).items()}
    except (ValueError, AttributeError):
        raise SandboxError(f"the self-test of the sandbox gave no result: {said[-200:]!r}") from None
    findings = tuple(Finding(name, bool(found.get(name)), found.get(name, "")) for name in PROBES)
    if out := [finding.name for finding in findings if not finding.held]:
        raise SandboxError(
            f"the sandbox did not hold: code in it could {' and '.join(PROBES[name] for name in out)}",
            "a sandbox that does not hold is not used",
            findings=findings,
        )
    return findings
