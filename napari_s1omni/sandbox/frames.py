"""The host's end of the pipes. The other end may send anything, so every frame is bounded, typed and never trusted."""

from __future__ import annotations

import json
import math
import os
import select
import time
from collections.abc import Callable
from typing import Any

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox.inside.wire import HEAD, HEADER_LIMIT, PAYLOAD_LIMIT, pack

Check = Callable[[Any], bool]


class BadFrame(SandboxError):
    """Bytes that are no frame; the process that sent them is killed."""


class PipeClosed(SandboxError):
    """The other end has been closed."""


def whole(value: Any) -> bool:
    """Whether this is a whole number of 64 bits; True and False are none."""
    return type(value) is int and -(2**63) <= value < 2**63


def number(value: Any) -> bool:
    """Whether this is a finite number."""
    return (type(value) is float and math.isfinite(value)) or whole(value)


def text(longest: int) -> Check:
    """Return a check for text of at most so many letters."""
    return lambda value: type(value) is str and len(value) <= longest


def anything(value: Any) -> bool:
    """Accept what the one who answers a request checks, and says what is wrong with it."""
    return True


def _shape(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) in (2, 3)
        and all(whole(v) and 1 <= v <= 65536 for v in value)
        and (len(value) == 2 or value[2] == 3)
    )


REGION_KEYS = ("y", "x", "height", "width", "level", "z", "t", "c")
VIEW_KEYS = ("box", "rel", "of", "level", "z", "t", "channels", "contrast", "size")
STATUS = ("ok", "error", "timeout", "interrupted")
KINDS: dict[str, dict[str, Check]] = {
    "ready": {"landlock": whole, "python": text(64), "libraries": text(2000)},
    "failed": {"text": text(2000)},
    "text": {"stream": lambda value: value in ("out", "err"), "text": text(HEADER_LIMIT)},
    "image": {"shape": _shape, "dtype": lambda value: value == "u1", "name": text(64)},
    "note": {"name": lambda value: text(64)(value) and value != "", "value": number, "unit": text(16)},
    "region": dict.fromkeys(REGION_KEYS, anything),
    "view": dict.fromkeys(VIEW_KEYS, anything),
    "done": {"status": lambda value: value in STATUS, "error": text(8000), "seconds": number, "threads": whole},
}
"""Kind of a frame (of a ``call``: what it asks for) -> its keys, beside ``kind`` and ``cell``."""


def checked(header: bytes | bytearray, length: int) -> dict[str, Any]:
    """Return a header whose keys and types are right.

    Parameters
    ----------
    header : bytes
    length : int
        Bytes of the payload.

    Raises
    ------
    BadFrame
        If it is anything else.
    """
    try:
        found = json.loads(header)
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadFrame(f"a header is no JSON ({type(error).__name__})") from None
    if type(found) is not dict:
        raise BadFrame("a header is no object")
    kind, keys = found.get("kind"), set(found) - {"kind", "cell"}
    if kind == "call":
        kind = found.get("request")
        keys.discard("request")
        if kind not in ("region", "view"):
            raise BadFrame("a call asks for something unknown")
    elif kind in ("region", "view"):
        raise BadFrame("a frame of an unknown kind")
    checks = KINDS.get(kind) if type(kind) is str else None
    if checks is None or not whole(found.get("cell")):
        raise BadFrame("a frame of an unknown kind")
    if keys != set(checks):
        raise BadFrame(f"a frame of kind {kind} with other keys")
    if wrong := [key for key, check in checks.items() if not check(found[key])]:
        raise BadFrame(f"a frame of kind {kind} with a wrong {wrong[0]}")
    if length != (math.prod(found["shape"]) if kind == "image" else 0):
        raise BadFrame(f"a frame of kind {kind} with a payload of {length} bytes")
    return found


class Pipe:
    """Both pipes, read and written without ever waiting longer than allowed.

    Parameters
    ----------
    incoming, outgoing : int
        Descriptors; they are set to not block.

    Attributes
    ----------
    received : int
        Bytes so far.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        os.set_blocking(incoming, False)
        os.set_blocking(outgoing, False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(incoming, select.POLLIN)
        self._writable.register(outgoing, select.POLLOUT)
        self.received = 0
        self._start()

    def _start(self) -> None:
        self._header: bytearray | None = None
        self._payload: bytearray | None = None
        self._head = bytearray(HEAD.size)
        self._missing = memoryview(self._head)

    def receive(self, seconds: float) -> tuple[dict[str, Any], bytearray] | None:
        """Return the next frame, or None if it is not complete in time; a later call continues.

        Raises
        ------
        BadFrame
            If what comes is no frame.
        PipeClosed
            If nothing can come any more.
        """
        end = time.monotonic() + seconds
        while True:
            if not self._missing and (frame := self._advance()):
                return frame
            if not self._missing:
                continue
            try:
                got = os.readv(self._incoming, [self._missing])
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0 or not self._readable.poll(max(1, int(left * 1000))):
                    return None
                continue
            if not got:
                raise PipeClosed("the confined process has ended")
            self.received += got
            self._missing = self._missing[got:]

    def _advance(self) -> tuple[dict[str, Any], bytearray] | None:
        """Go to the next part of a frame; return the frame after its last."""
        if self._header is None:
            long, _ = HEAD.unpack(self._head)
            if not 2 <= long <= HEADER_LIMIT:
                raise BadFrame(f"a header of {long} bytes")
            self._header = bytearray(long)
            self._missing = memoryview(self._header)
            return None
        if self._payload is None:
            _, length = HEAD.unpack(self._head)
            if length > PAYLOAD_LIMIT:
                raise BadFrame(f"a payload of {length} bytes")
            # Before memory is taken for it.
            self._found = checked(self._header, length)
            self._payload = bytearray(length)
            self._missing = memoryview(self._payload)
            if length:
                return None
        frame = self._found, self._payload
        self._start()
        return frame

    def send(self, header: dict[str, Any], payload: bytes | memoryview = b"", seconds: float = 10.0) -> None:
        """Write a frame.

        Raises
        ------
        PipeClosed
            If the other end is closed, or does not read in time.
        """
        end = time.monotonic() + seconds
        view = memoryview(payload).cast("B")
        for part in (memoryview(pack(header, len(view))), view):
            while part:
                try:
                    part = part[os.write(self._outgoing, part) :]
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise PipeClosed("the confined process does not read") from None
                    self._writable.poll(100)
                except OSError as error:
                    raise PipeClosed("the confined process has ended") from error
