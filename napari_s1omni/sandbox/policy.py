"""What confined code may do: limits, and the files it may read. Every way of confining translates these same values."""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.errors import SandboxError
from napari_s1omni.system.confined import machine

MIB = 2**20
INSIDE = Path(__file__).resolve().with_name("inside")
"""The only folder of this package that the confined process sees."""
ALL_LIBRARIES = ("numpy", "scipy", "skimage", "PIL", "matplotlib")
"""What code may expect, as far as it is installed. Other packages of the same folders can be imported, too."""
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/etc/fonts", "/etc/ld.so.cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much confined code may use.

    Attributes
    ----------
    cell_seconds : float
        Time of one cell; the host's answers are not counted.
    grace_seconds : float
        After that the process is killed, if the cell does not end.
    memory, scratch, file : int
        Bytes of address space, of all files in the scratch folder, and of one file.
    entries : int
        Files and folders in the scratch folder.
    handles, threads : int
        Open files, and threads.
    cpu_seconds : int
        Processor time of a process, for all cells.
    text : int
        Characters that a cell may print; the rest is dropped.
    pictures, picture_side, notes : int
        Pictures a cell may show, pixels of a longest side, and notes a cell may take.
    cell_bytes, frames : int
        All that a cell may send; more ends the process.
    """

    cell_seconds: float = 60.0
    grace_seconds: float = 1.5
    memory: int = 1024 * MIB
    scratch: int = 256 * MIB
    file: int = 64 * MIB
    entries: int = 10_000
    handles: int = 256
    threads: int = 64
    cpu_seconds: int = 600
    stack: int = 64 * MIB
    text: int = 100_000
    pictures: int = 16
    picture_side: int = 4096
    notes: int = 256
    cell_bytes: int = 128 * MIB
    frames: int = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """All that the confined process is given.

    Attributes
    ----------
    read : tuple of str
        Absolute paths that may be read.
    sites : tuple of str
        Folders of packages, in the order of the search.
    python : str
        The interpreter, without any virtual environment around it.
    environment : dict
        All variables; nothing is inherited.
    preload : tuple of str
        Packages that are imported before the first cell.
    """

    read: tuple[str, ...]
    sites: tuple[str, ...]
    python: str
    environment: dict[str, str]
    preload: tuple[str, ...]
    limits: Limits

    def to_worker(self, scratch: str, *, count_threads: bool) -> dict[str, Any]:
        """Return the first frame for the worker.

        Parameters
        ----------
        scratch : str
            The folder it may write to.
        count_threads : bool
            Whether the limit of threads counts only its own; otherwise it would count all of the user.
        """
        limits = asdict(self.limits)
        return {
            **{name: limits[name] for name in ("memory", "file", "handles", "stack", "cpu_seconds", "text")},
            **{name: limits[name] for name in ("pictures", "picture_side")},
            "threads": self.limits.threads if count_threads else 0,
            "machine": machine(),
            "read": list(self.read),
            "scratch": scratch,
            "sites": list(self.sites),
            "preload": list(self.preload),
        }


def confinement(
    limits: Limits | None = None, libraries: Sequence[str] = ALL_LIBRARIES, fonts: Path | None = None
) -> Confinement:
    """Return what the confined process is given on this machine.

    Parameters
    ----------
    limits : Limits, optional
    libraries : sequence of str
        Packages to import before the first cell; those that are not installed are left out, numpy excepted.
    fonts : Path, optional
        Folder with the list of fonts that matplotlib reads.

    Raises
    ------
    SandboxError
        If numpy is missing, or a folder that must be readable contains the user's home.
    """
    found = {name: folder for name in ALL_LIBRARIES if (folder := site_of(name))}
    if "numpy" not in found:
        raise SandboxError("numpy is not installed for this Python", remedy="install napari-s1omni anew with pip")
    sites = tuple(dict.fromkeys(found.values()))
    base = Path(sys.base_prefix)
    python = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]  # noqa: SLF001
    standard = Path(sysconfig.get_path("stdlib"))
    own = [base / "lib", standard.parent, INSIDE]
    read = [*_SYSTEM, *(str(path.resolve()) for path in own), python, *sites]
    environment = {
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    }
    if fonts is not None:
        read.append(str(fonts.resolve()))
        environment["MPLCONFIGDIR"] = str(fonts.resolve())
    readable = tuple(dict.fromkeys(path for path in read if Path(path).exists()))
    check_home(readable)
    return Confinement(
        read=readable,
        sites=sites,
        python=python,
        environment=environment,
        preload=tuple(name for name in libraries if name in found),
        limits=limits or Limits(),
    )


def check_home(paths: Sequence[str]) -> None:
    """Refuse to let confined code read a folder that is the user's home, or contains it."""
    try:
        home = Path.home().resolve()
    except RuntimeError:
        return
    for path in paths:
        if home.is_relative_to(Path(path).resolve()) or home.is_relative_to(path):
            raise SandboxError(
                f"confined code needs to read {path}, which contains your home folder {home}",
                "it must not read your files",
                "install Python and the packages into a folder of their own, such as a virtual environment",
                path=path,
            )


@functools.cache
def site_of(name: str) -> str | None:
    """Return the folder a package lies in, without importing it; None where it is not installed."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return str(Path(next(iter(spec.submodule_search_locations))).resolve().parent)
