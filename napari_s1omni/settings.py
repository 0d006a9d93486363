"""Environment variables and the folders they name. Each is read when it is asked for, and nowhere else."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.errors import JobError, StoreError
from napari_s1omni.system.files import is_writable, temporary_cache, user_cache

_LIBRARY_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that the numerical libraries read for their number of threads."""
_OF_ENGINES = ("S1OMNI_", "OMP_", "MKL_", "CUDA_", "HF_")
"""How the names of variables begin on which an engine may depend."""
_WAIT_POLICY = "OMP_WAIT_POLICY"
_WAITING = (_WAIT_POLICY, "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which somebody has chosen how threads wait for each other."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of this package."""

    name: str
    meaning: str
    """One sentence for the page of the command line."""
    default: str
    """What holds where it is unset or empty, in words."""

    def read(self) -> str:
        """Return its value now; empty where it is unset."""
        return os.environ.get(self.name, "").strip()


AUTO_ENGINE = Variable(
    "S1OMNI_AUTO",
    "Engine that `auto` takes for every job that it can do: a name, or the folder of a checkpoint.",
    "the engine with the better validation scores",
)
CACHE = Variable(
    "S1OMNI_CACHE",
    "Folder for results without a name, for drawn regions, and for the list of runs.",
    "`napari_s1omni` in `$XDG_CACHE_HOME`, or in `~/.cache`; a temporary folder where that cannot be written",
)
CHROMIUM = Variable("S1OMNI_CHROMIUM", "Browser of `s1omni bench notebook`.", "the system's `chromium`")
CONFIG = Variable(
    "S1OMNI_CONFIG",
    "Folder of the endpoints of chat models, and of what may be sent to them.",
    "`napari_s1omni` in `$XDG_CONFIG_HOME`, or in `~/.config`",
)
DATA = Variable("S1OMNI_DATA", "Folder of the images that `s1omni bench` and `s1omni train` read.", "none")
MODELS = Variable("S1OMNI_MODELS", "Folder of downloaded models.", "`~/.cache/s1omni/models`")
NICENESS = Variable(
    "S1OMNI_NICENESS",
    "Priority of a run that napari or a notebook starts, from 0 (that of the window) to 19 (lowest).",
    "10",
)
PYTHON = Variable(
    "S1OMNI_PYTHON", "Python interpreter that has the engines.", "the interpreter of napari, or of the notebook"
)
SCRATCH = Variable(
    "S1OMNI_SCRATCH",
    "Most gigabytes on disk in which each worker keeps drawn tiles that other blocks need too, until these are done; "
    "with 0, and when it is full, they are drawn again.",
    "20",
)
THREADS = Variable(
    "S1OMNI_THREADS",
    "Threads of an engine on the CPU, in each worker; part of the plan.",
    "`OMP_NUM_THREADS`, or the checkpoint's own number",
)

VARIABLES = (AUTO_ENGINE, CACHE, CHROMIUM, CONFIG, DATA, MODELS, NICENESS, PYTHON, SCRATCH, THREADS)
"""All of them, by name."""


def cache_folder() -> Path:
    """Return the folder for what can be made again; it is made where it is missing.

    Where it cannot be written, as in a container without a home, it is a temporary folder: see :func:`cache_notes`.

    Raises
    ------
    StoreError
        If there is no temporary folder either.
    """
    return _cache()[0]


def cache_notes() -> tuple[str, ...]:
    """Say that results without a name lie in a temporary folder, and why; empty where the cache can be written."""
    return _cache()[1]


def _cache() -> tuple[Path, tuple[str, ...]]:
    """Return the cache folder, and a note if it is not the wanted one."""
    named = CACHE.read()
    folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "napari_s1omni"
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        if is_writable(folder):
            return folder, ()
        why = "it is read-only for this user"
    except OSError as error:
        why = error.strerror or str(error)
    except RuntimeError:
        why = "no home folder of this user is known"
    try:
        instead = temporary_cache()
    except OSError as error:
        raise StoreError(
            f"neither the cache folder {folder} ({why}) nor a temporary folder can be written",
            remedy=f"set {CACHE.name} to a folder that you may write to",
        ) from error
    note = (
        f"the cache folder {folder} cannot be written ({why}); results without a name lie in {instead}, which the "
        f"system may empty: name an output, or set {CACHE.name}"
    )
    return instead, (note,)


def config_folder() -> Path:
    """Return the folder of what a person configured; it may not exist yet.

    Raises
    ------
    JobError
        If no home folder of this user is known and none is named.
    """
    named = CONFIG.read()
    folder = Path(named) if named else Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "napari_s1omni"
    try:
        return folder.expanduser()
    except RuntimeError:
        raise JobError(
            "no home folder of this user is known, so that there is no place for endpoints",
            remedy=f"set {CONFIG.name} to a folder",
        ) from None


def secret(name: str) -> str:
    """Return the value of a variable that holds a key; empty where it is unset. It is never stored or printed."""
    return os.environ.get(name, "").strip() if name else ""


def use_cache_folder(folder: str) -> None:
    """Set the cache folder of this process and of those that it will start."""
    os.environ[CACHE.name] = folder


def models_folder() -> Path:
    """Return the folder of downloaded models."""
    return Path(MODELS.read() or user_cache() / "s1omni" / "models").expanduser()


def data_folder(given: Path | str | None = None, option: str = "--data") -> Path:
    """Return the folder of the images that benchmarks and training read.

    Parameters
    ----------
    given : Path or str, optional
        The folder that was named; by default that of ``S1OMNI_DATA``.
    option : str
        How it could have been named, for the message.

    Raises
    ------
    JobError
        If none is named, or it does not exist.
    """
    named = str(given) if given is not None else DATA.read()
    if not named:
        raise JobError(
            "no folder of images is named", f"{option} or the variable {DATA.name} names one", f"set {DATA.name}"
        )
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise JobError(f"there is no folder {folder}", f"{option} or {DATA.name} names a folder of images")
    return folder


def interpreter() -> str:
    """Return the Python interpreter that has the engines."""
    return PYTHON.read() or sys.executable


def niceness() -> int:
    """Return how far a run yields the processor to the window that shows it, 0 to 19."""
    wanted = NICENESS.read()
    return min(19, int(wanted)) if wanted.isdecimal() else 10


def scratch_bytes() -> int:
    """Return the most bytes of drawn tiles that a worker keeps on disk.

    Raises
    ------
    JobError
        If the variable is not a number of gigabytes.
    """
    named = SCRATCH.read() or SCRATCH.default
    try:
        found = float(named)
    except ValueError:
        found = -1.0
    if not 0 <= found < math.inf:
        raise JobError(f"{SCRATCH.name} is {named!r}", "a number of gigabytes, such as 20", "correct or unset it")
    return int(found * 1e9)


def browser() -> str | None:
    """Return the browser to measure with; None where there is none."""
    return CHROMIUM.read() or shutil.which("chromium") or shutil.which("chromium-browser")


def visible_gpus() -> tuple[str, ...] | None:
    """Return the GPUs that ``CUDA_VISIBLE_DEVICES`` names; None where it is unset, and all are visible."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if named is None else tuple(name.strip() for name in named.split(",") if name.strip())


def library_threads(usual: int) -> dict[str, str]:
    """Return the variables that give the numerical libraries their threads: as they are set, else `usual`."""
    return {name: os.environ.get(name, str(usual)) for name in _LIBRARY_THREADS}


def chosen_threads() -> int | None:
    """Return the number of threads that the user or a scheduler has set by ``OMP_NUM_THREADS``; None where it has not.

    The variable may list numbers for nested levels, such as ``4,2``; the first is meant here.
    """
    first = os.environ.get(_LIBRARY_THREADS[0], "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def sleeping_threads() -> dict[str, str]:
    """Return the variable that makes threads sleep while they wait for each other; nothing where somebody chose.

    By default they spin, which takes the processors from all other processes: beside busy ones everything becomes
    many times slower. The numerical libraries read it when they are loaded.
    """
    return {} if any(os.environ.get(name) for name in _WAITING) else {_WAIT_POLICY: "PASSIVE"}


def let_threads_sleep() -> None:
    """Apply :func:`sleeping_threads` to this process and to those that it will start."""
    os.environ.update(sleeping_threads())


def engine_environment() -> dict[str, str]:
    """Return the variables on which a loaded engine may depend."""
    return {name: value for name, value in os.environ.items() if name.startswith(_OF_ENGINES)}


def child_environment(without: Iterable[str] = (), **changes: str) -> dict[str, str]:
    """Return the environment of a process to be started: that of this one without some variables, others set.

    Its threads sleep while they wait, see :func:`sleeping_threads`.
    """
    left_out = set(without)
    inherited = {name: value for name, value in os.environ.items() if name not in left_out}
    return {**inherited, **sleeping_threads(), **changes}
