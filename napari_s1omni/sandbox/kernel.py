"""What the rest of the package knows of the sandbox: a kernel runs cells, a broker answers them, an execution results.

Nothing that an :class:`Execution` holds is evidence: code can print any number and show any picture. Evidence of what
was looked at is what the broker has answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Status = Literal["ok", "error", "timeout", "interrupted", "killed"]


class RequestRefused(Exception):
    """A broker raises this with a sentence for the code: what is allowed. It is raised again inside the cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that is shown.

    Attributes
    ----------
    pixels : ndarray
        uint8, (y, x, 3); from a cell (y, x), too.
    name, caption : str
    box : tuple of int, or None
        Its place in the layer, in px of the full resolution: y0, x0, y1, x1, half-open.
    level : int
    """

    pixels: NDArray[np.uint8]
    name: str = ""
    caption: str = ""
    box: tuple[int, int, int, int] | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """A measurement that code wants to keep: finite, name of at most 64 letters, unit of at most 16."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class RegionRequest:
    """Raw numbers of one plane. All are plain whole numbers; whether they lie in the layer, the broker checks."""

    y: int
    x: int
    height: int
    width: int
    level: int = 0
    z: int = 0
    t: int = 0
    c: int = 0


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """A picture of a part of the layer; None leaves a choice to the broker. Types are checked, values are not.

    Attributes
    ----------
    box : tuple of int, optional
        y0, x0, y1, x1 at full resolution, half-open.
    rel, of : optional
        x0, y0, x1, y1 in thousandths of the picture that is named `of`; instead of `box`.
    contrast : tuple of float, optional
        Intensities that become black and white.
    size : int
        Pixels of the longest side.
    """

    box: tuple[int, int, int, int] | None = None
    rel: tuple[float, float, float, float] | None = None
    of: str | None = None
    level: int | None = None
    z: int | None = None
    t: int | None = None
    channels: tuple[int, ...] | None = None
    contrast: tuple[float, float] | None = None
    size: int = 1024


class Broker(Protocol):
    """Answers a cell from outside, in the thread that called :meth:`Kernel.execute`; the cell's clock stands meanwhile.

    An exception other than :class:`RequestRefused` ends the process, and leaves :meth:`Kernel.execute` as it is.
    """

    def view(self, request: ViewRequest) -> Picture:
        """Return a picture, which the model is shown and the cell gets; refuse with :class:`RequestRefused`."""

    def region(self, request: RegionRequest) -> NDArray[Any]:
        """Return numbers, of at most 64 MiB. Refuse with :class:`RequestRefused`."""

    def show(self, picture: Picture) -> None:
        """Take a picture as soon as the code shows it."""

    def note(self, note: Note) -> None:
        """Take a measurement as soon as the code notes it."""

    def text(self, stream: Literal["out", "err"], text: str) -> None:
        """Take printed text as it comes."""


class NoBroker:
    """A broker without a layer: text, pictures and notes are only collected."""

    def view(self, request: ViewRequest) -> Picture:
        raise RequestRefused("there is no layer to look at")

    def region(self, request: RegionRequest) -> NDArray[Any]:
        raise RequestRefused("there is no layer to read")

    def show(self, picture: Picture) -> None:
        """Leave it to the execution."""

    def note(self, note: Note) -> None:
        """Leave it to the execution."""

    def text(self, stream: Literal["out", "err"], text: str) -> None:
        """Leave it to the execution."""


@dataclass(slots=True)
class Execution:
    """What one cell did.

    Attributes
    ----------
    status : str
        ``ok``; ``error``, ``timeout`` and ``interrupted`` keep the variables; after ``killed`` the next cell has none.
    text : str
        What was printed, errors' tracebacks excepted.
    pictures, notes : list
        In the order they came; pictures of :meth:`Broker.view` are the broker's to keep and not in it.
    error : str
        The last lines of the traceback, or why the process was killed.
    seconds : float
        Since the cell was sent, the broker's answers included.
    threads : int
        Threads that the process has at the end; more than 1 means that something still works.
    generation : int
        Counts the processes of a kernel; another number than before means that variables are gone.
    """

    status: Status = "ok"
    text: str = ""
    pictures: list[Picture] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0
    threads: int = 1
    generation: int = 1


class Kernel(Protocol):
    """A confined process that keeps its variables from cell to cell."""

    @property
    def backend(self) -> str:
        """What confines it: ``bubblewrap`` (with Landlock and seccomp) or ``landlock`` (with seccomp)."""

    @property
    def alive(self) -> bool:
        """Whether its process runs. If not, the next cell starts another one."""

    @property
    def generation(self) -> int:
        """Number of the present process: 1 for the first, one more after each that was killed."""

    def offer(self, pictures: Sequence[Picture], layer: Mapping[str, Any]) -> None:
        """Give the code ``images`` and ``layer``, instead of earlier ones; a later process gets them, too."""

    def execute(self, code: str, broker: Broker | None = None) -> Execution:
        """Run a cell to its end.

        Raises
        ------
        SandboxError
            If no process can be started or confined; whatever the code does is told in the execution.
        """

    def interrupt(self) -> None:
        """Stop the present cell, from another thread; within a second it has ended or was killed."""

    def close(self) -> None:
        """End the process and remove what it wrote."""
