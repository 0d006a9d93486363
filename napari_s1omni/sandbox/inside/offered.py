"""What the names ``view``, ``region``, ``show``, ``note``, ``images`` and ``layer`` are for the code of a cell."""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_s1omni.sandbox.inside import pictures
from napari_s1omni.sandbox.inside.wire import Wire


class RequestRefused(Exception):
    """The host does not answer this request; the text says what is allowed."""

    __module__ = "builtins"  # A traceback then names it without its place.


class Shown(np.ndarray[Any, Any]):
    """Pixels of a picture, uint8, (y, x, 3), with its place in the layer.

    Attributes
    ----------
    name, caption : str
    box : tuple of int, or None
        First and last place at full resolution: y0, x0, y1, x1; the end is not part of it.
    level : int
        Of the pyramid.
    """

    name: str
    caption: str
    box: tuple[int, int, int, int] | None
    level: int

    def __array_finalize__(self, whole: Any) -> None:
        """Part of a picture lies elsewhere, so that only its name is taken over."""
        self.name = getattr(whole, "name", "")
        self.caption, self.box, self.level = "", None, 0

    def to_world(self, y: float, x: float) -> tuple[float, float]:
        """Return where a place of this picture, in its pixels, lies at full resolution of the layer."""
        if self.box is None:
            raise RequestRefused(f"the picture {self.name!r} has no place in the layer")
        top, left, bottom, right = self.box
        height, width = self.shape[:2]
        return top + y * (bottom - top) / height, left + x * (right - left) / width


def shown(header: dict[str, Any], payload: bytearray) -> Shown:
    """Return the picture of a frame."""
    picture = np.frombuffer(payload, np.uint8).reshape(header["shape"]).view(Shown)
    picture.name, picture.caption = header["name"], header["caption"]
    picture.box, picture.level = (tuple(header["box"]) if header["box"] else None), header["level"]
    return picture


class Requests:
    """Frames of the present cell to the host.

    Parameters
    ----------
    wire : Wire
    clock : callable
        Called with True while the host works, and with False when the time of the cell runs again.
    picture_side, picture_count : int
        Limits, so that the code learns of them; the host has its own.
    """

    def __init__(self, wire: Wire, clock: Callable[[bool], None], picture_side: int, picture_count: int) -> None:
        self.cell = 0
        self._wire = wire
        self._clock = clock
        self._side = picture_side
        self._count = picture_count
        self._left = 0
        self._turn = threading.Lock()
        self._older: set[int | None] = set()

    def begin(self, cell: int) -> None:
        """Begin a cell: what threads of earlier ones send belongs to it no more."""
        self.cell, self._left = cell, self._count
        self._older = {thread.ident for thread in threading.enumerate()} - {threading.main_thread().ident}

    def send(self, header: dict[str, Any], payload: Any = b"") -> None:
        """Send a frame of this cell; a thread of an earlier one sends nothing."""
        if threading.get_ident() in self._older:
            return
        with self._turn:
            self._wire.send({**header, "cell": self.cell}, payload)

    def show(self, picture: Any, name: str = "") -> None:
        """Show an array, a figure or an image."""
        if self._left <= 0:
            raise RequestRefused(f"a cell shows at most {self._count} pictures")
        self._left -= 1
        array, remark = pictures.pixels(picture, self._side)
        self.send({"kind": "image", "shape": list(array.shape), "dtype": "u1", "name": str(name)[:64]}, array.data)
        if remark:
            sys.stdout.write(f"{name or 'picture'}: {remark}\n")

    def note(self, name: str, value: float, unit: str = "") -> None:
        """Keep a measurement with the answer: a finite number with its name and unit."""
        name, unit, value = str(name), str(unit), float(value)
        if not (1 <= len(name) <= 64 and len(unit) <= 16 and np.isfinite(value)):
            raise ValueError("note() takes a name of at most 64 letters, a finite number, and a unit of at most 16")
        self.send({"kind": "note", "name": name, "value": value, "unit": unit})

    def region(
        self, y: int, x: int, height: int, width: int, level: int = 0, z: int = 0, t: int = 0, c: int = 0
    ) -> Any:
        """Return raw numbers of the layer, (y, x); nothing is shown."""
        numbers = {"y": y, "x": x, "height": height, "width": width, "level": level, "z": z, "t": t, "c": c}
        header, payload = self._call("region", {name: _plain(value) for name, value in numbers.items()})
        return np.frombuffer(payload, np.dtype(header["dtype"])).reshape(header["shape"])

    def view(
        self,
        box: Any = None,
        level: int | None = None,
        z: int | None = None,
        t: int | None = None,
        channels: Any = None,
        contrast: Any = None,
        size: int = 1024,
        rel: Any = None,
        of: str | None = None,
    ) -> Shown:
        """Show a part of the layer and return its pixels.

        Parameters
        ----------
        box : sequence of four int, optional
            ``(y0, x0, y1, x1)`` at full resolution, without the end; by default everything.
        level, z, t, channels, contrast : optional
            By default the host chooses.
        size : int
            Pixels of the longest side.
        rel, of : optional
            Instead of `box`: ``(x0, y0, x1, y1)`` in thousandths of the picture named `of`.
        """
        header, payload = self._call(
            "view",
            {
                "box": None if box is None else [_plain(v) for v in box],
                "rel": None if rel is None else [float(v) for v in rel],
                "of": of,
                "level": None if level is None else _plain(level),
                "z": None if z is None else _plain(z),
                "t": None if t is None else _plain(t),
                "channels": None if channels is None else [_plain(c) for c in np.atleast_1d(channels)],
                "contrast": None if contrast is None else [float(v) for v in contrast],
                "size": _plain(size),
            },
        )
        return shown(header, payload)

    def _call(self, request: str, words: dict[str, Any]) -> tuple[dict[str, Any], bytearray]:
        if threading.get_ident() in self._older:
            raise RequestRefused("this thread belongs to an earlier cell")
        with self._turn:
            self._clock(True)
            try:
                self._wire.send({"kind": "call", "cell": self.cell, "request": request, **words})
                header, payload = self._wire.receive()
            finally:
                self._clock(False)
        if header["error"]:
            raise RequestRefused(header["error"])
        return header, payload


def _plain(value: Any) -> Any:
    """Return numpy's whole numbers as Python's; the host refuses what is none."""
    if isinstance(value, np.integer):
        return operator.index(value)
    return value if isinstance(value, (int, float, str)) else str(value)
