"""How the confined process is started: alone (Landlock, seccomp, limits), or with the same inside bubblewrap."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox.inside.syscalls import MACHINES
from napari_s1omni.sandbox.policy import INSIDE, Confinement
from napari_s1omni.system.confined import can_confine, find_program, kernel, machine
from napari_s1omni.system.files import temporary_cache

Backend = Literal["bubblewrap", "landlock"]
BACKENDS: tuple[Backend, ...] = ("bubblewrap", "landlock")
"""The stronger one first. Both need Landlock and seccomp."""
SCRATCH = "/scratch"
"""The folder for files, inside bubblewrap."""
# The folder is all that can be imported of this package; its parents are empty names.
_BOOT = """import sys, types
folder = sys.argv[1]
for name, path in (("napari_s1omni", []), ("napari_s1omni.sandbox", []), ("napari_s1omni.sandbox.inside", [folder])):
    module = types.ModuleType(name)
    module.__path__ = path
    sys.modules[name] = module
from napari_s1omni.sandbox.inside.worker import main
main()
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that starts the worker.

    Attributes
    ----------
    folder : Path or None
        Scratch folder on this machine, to be watched and removed; None where the process has its own.
    scratch : str
        The same as the process sees it.
    """

    words: tuple[str, ...]
    environment: dict[str, str]
    scratch: str
    folder: Path | None
    says_pid: bool
    """Whether it writes the number of the worker to the descriptor that it was given."""


def missing(backend: Backend) -> str:
    """Say what this machine lacks for a backend, as far as that can be seen without starting it; else nothing."""
    if not can_confine():
        return f"code can be confined on Linux only, not on {kernel()}: use WSL2, a container or a Linux machine"
    if machine() not in MACHINES:
        return f"code can be confined on {' and '.join(MACHINES)} only, not on {machine()}"
    if backend == "bubblewrap" and find_program("bwrap") is None:
        return "bubblewrap is not installed: install the package 'bubblewrap' of your system"
    return ""


def launch(backend: Backend, confinement: Confinement, info: int) -> Launch:
    """Return how to start the worker; `info` is the descriptor to which bubblewrap writes its number."""
    python = (confinement.python, "-I", "-S", "-B", "-c", _BOOT, str(INSIDE))
    if backend == "landlock":
        folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=temporary_cache()))
        return Launch(python, {**confinement.environment, "HOME": str(folder)}, str(folder), folder, False)
    program = find_program("bwrap")
    if program is None:
        raise SandboxError(missing(backend))
    words = [
        *(program, "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1"),
        *("--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv"),
        *("--info-fd", str(info)),
    ]
    environment = {**confinement.environment, "HOME": SCRATCH}
    for name, value in environment.items():
        words += ["--setenv", name, value]
    for path in confinement.read:
        # /lib is usr/lib today.
        link = Path(path)
        words += ["--symlink", str(link.readlink()), path] if link.is_symlink() else ["--ro-bind", path, path]
    words += ["--dev", "/dev", "--size", str(confinement.limits.scratch), "--perms", "0700", "--tmpfs", SCRATCH]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH, "--", *python]
    return Launch(tuple(words), {}, SCRATCH, None, True)


@functools.cache
def version_of_bubblewrap() -> str:
    """Return what bubblewrap says of itself; empty where it is not installed."""
    program = find_program("bwrap")
    if program is None:
        return ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip()
