"""Cells: running code with a time limit, in names that stay from one cell to the next."""

from __future__ import annotations

import ast
import io
import linecache
import os
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any

from napari_s1omni.sandbox.inside import pictures
from napari_s1omni.sandbox.inside.offered import RequestRefused, Requests, shown
from napari_s1omni.sandbox.inside.wire import Wire

_PIECE = 8192
"""Characters of printed text that are sent together."""
_ERROR_LINES, _ERROR_LENGTH = 20, 8000
_OWN = os.path.dirname(__file__)


class CellTimeout(TimeoutError):
    """The time of the cell is over. Variables stay."""


class CellInterrupted(Exception):
    """The user stopped the cell. Variables stay."""


class Printed(io.TextIOBase):
    """A standard stream whose text travels to the host, up to a limit for each cell."""

    def __init__(self, requests: Requests, name: str) -> None:
        self._requests = requests
        self._name = name
        self._waiting: list[str] = []
        self._length = 0
        self._left = 0
        self._dropped = 0
        self._sent = 0.0

    def begin(self, limit: int) -> None:
        """Allow a cell `limit` characters."""
        self._waiting, self._length, self._left, self._dropped = [], 0, limit, 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Keep text, and send it when there is enough, or a line after a while."""
        kept = text[: self._left]
        self._left -= len(kept)
        self._dropped += len(text) - len(kept)
        if kept:
            self._waiting.append(kept)
            self._length += len(kept)
            if self._length >= _PIECE or ("\n" in kept and time.monotonic() - self._sent > 0.05):
                self.flush()
        return len(text)

    def flush(self) -> None:
        text, self._waiting, self._length = "".join(self._waiting), [], 0
        self._sent = time.monotonic()
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE].encode("utf-8", "replace").decode()
            self._requests.send({"kind": "text", "stream": self._name, "text": piece})

    def end(self) -> None:
        """Send the rest, and say how much was left out."""
        if self._dropped:
            self._waiting.append(f"\n[{self._dropped} more characters were not kept]\n")
        self.flush()


class Session:
    """Names of the code, and one cell after another.

    Parameters
    ----------
    wire : Wire
    policy : dict
        Limits and folders.
    """

    def __init__(self, wire: Wire, policy: dict[str, Any]) -> None:
        self._wire = wire
        self._scratch = policy["scratch"]
        self._side = policy["picture_side"]
        self._text_limit = policy["text"]
        self._requests = Requests(wire, self._pause, policy["picture_side"], policy["pictures"])
        self._out, self._err = Printed(self._requests, "out"), Printed(self._requests, "err")
        self._ends = 0.0
        self._remaining = 0.0
        self._images: list[Any] = []
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self.names |= {name: getattr(self._requests, name) for name in ("view", "region", "show", "note")}
        self.names |= {"images": self._images, "layer": {}, "RequestRefused": RequestRefused}

    def begin(self) -> None:
        """Take over the standard streams, the signals and the folder."""
        sys.stdout, sys.stderr, sys.stdin = self._out, self._err, io.StringIO()
        signal.signal(signal.SIGALRM, self._time_is_over)
        signal.signal(signal.SIGINT, self._interrupted)
        os.chdir(self._scratch)

    def offer(self, header: dict[str, Any], payload: bytearray) -> None:
        """Take a picture or the facts of a layer from the host."""
        if header["kind"] == "layer":
            # First of what is given; the pictures of an earlier time are no longer there.
            self.names["layer"] = header["facts"]
            self._images.clear()
            return
        self._images.append(shown(header, payload))
        if "PIL" in sys.modules:
            from PIL import Image

            # Models were trained with paths of pictures.
            Image.fromarray(self._images[-1]).save(f"image_{len(self._images) - 1}.png")

    def run(self, cell: int, code: str, seconds: float) -> None:
        """Run one cell and send how it ended."""
        self._requests.begin(cell)
        for stream in (self._out, self._err):
            stream.begin(self._text_limit)
        began, before = time.monotonic(), pictures.files(".")
        status, error = "ok", ""
        try:
            try:
                # A cell may have changed them.
                signal.signal(signal.SIGALRM, self._time_is_over)
                signal.signal(signal.SIGINT, self._interrupted)
                self._remaining = seconds
                self._pause(False)
                self._evaluate(f"<cell {cell}>", code)
                self._collect(before)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                self._ends = 0.0
        except CellTimeout:
            status, error = "timeout", f"The cell was stopped after {seconds:g} s. Variables are kept."
        except CellInterrupted:
            status, error = "interrupted", "The cell was stopped by the user. Variables are kept."
        except BaseException as raised:
            status, error = "error", _said(raised)
        self._out.end()
        self._err.end()
        took = time.monotonic() - began
        self._requests.send(
            {"kind": "done", "status": status, "error": error, "seconds": took, "threads": threading.active_count()}
        )

    def _evaluate(self, name: str, code: str) -> None:
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self.names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
            if value is not None:
                sys.stdout.write(f"{value!r}\n")

    def _collect(self, before: dict[str, tuple[int, int]]) -> None:
        """Show figures that are still open, and picture files that came: code that models write expects it."""
        for figure in pictures.open_figures():
            self._requests.show(figure, figure.get_label() or "figure")
        for name in pictures.new_files(".", before):
            try:
                self._requests.show(pictures.opened(name, self._side), name)
            except (OSError, ValueError, ImportError) as error:
                sys.stderr.write(f"{name} is not shown: {error}\n")

    def _pause(self, paused: bool) -> None:
        """Stop the clock of the cell, or let the time that is left run."""
        if paused:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._remaining = self._ends - time.monotonic()
        else:
            self._ends = time.monotonic() + self._remaining
            signal.setitimer(signal.ITIMER_REAL, max(self._remaining, 1e-6))

    def _time_is_over(self, number: int, frame: FrameType | None) -> None:
        # The alarm may come when the cell has just ended.
        if self._ends:
            self._wire.interrupt(CellTimeout("the time of the cell is over"))

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._ends:
            self._wire.interrupt(CellInterrupted("stopped by the user"))


def _said(raised: BaseException) -> str:
    """Return the last lines of a traceback, without what lies around the code of the cell."""
    try:
        told = traceback.TracebackException.from_exception(raised)
        told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith(_OWN)]
        lines = "".join(told.format()).splitlines()[-_ERROR_LINES:]
        return "\n".join(lines)[-_ERROR_LENGTH:].encode("utf-8", "replace").decode()
    except BaseException:
        # Its own text may fail, or memory may be full.
        return type(raised).__name__[:200]
