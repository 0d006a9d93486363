"""Frames on two pipes: ``<u32 header length><u32 payload length><JSON header><payload>``, little-endian.

A header is a flat JSON object of at most 64 KiB, a payload raw bytes, at most 64 MiB. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

HEAD = struct.Struct("<II")
"""Lengths of header and payload, in bytes."""
HEADER_LIMIT = 64 * 1024
"""Bytes of the longest header."""
PAYLOAD_LIMIT = 64 * 2**20
"""Bytes of the longest payload."""


def pack(header: dict[str, Any], length: int) -> bytes:
    """Return a frame without its payload of `length` bytes.

    Raises
    ------
    ValueError
        If header or payload are too long, or a number is not finite.
    """
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > HEADER_LIMIT or length > PAYLOAD_LIMIT:
        raise ValueError(f"a frame holds at most {HEADER_LIMIT} bytes of header and {PAYLOAD_LIMIT} of payload")
    return HEAD.pack(len(text), length) + text


class Wire:
    """The confined end of the two pipes.

    Parameters
    ----------
    incoming, outgoing : int
        Descriptors.

    Attributes
    ----------
    pending : Exception or None
        What a signal wanted to raise while a frame was on its way; half a frame would spoil all that follow.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._busy = False
        self.pending: Exception | None = None

    def interrupt(self, error: Exception) -> None:
        """Raise an error now, or as soon as the present frame is complete."""
        if not self._busy:
            raise error
        self.pending = error

    def send(self, header: dict[str, Any], payload: bytes | memoryview = b"") -> None:
        """Write one frame, all of it."""
        view = memoryview(payload).cast("B")
        parts = pack(header, len(view))
        self._busy = True
        try:
            if len(view) <= 64 * 1024:
                self._write(memoryview(parts + bytes(view)))
            else:
                self._write(memoryview(parts))
                self._write(view)
        finally:
            self._free()

    def receive(self) -> tuple[dict[str, Any], bytearray]:
        """Wait for one frame.

        Raises
        ------
        EOFError
            If the host has ended.
        """
        self._busy = True
        try:
            header_length, length = HEAD.unpack(self._read(HEAD.size))
            header: dict[str, Any] = json.loads(self._read(header_length))
            return header, self._read(length)
        finally:
            self._free()

    def _free(self) -> None:
        self._busy = False
        if self.pending is not None:
            error, self.pending = self.pending, None
            raise error

    def _write(self, view: memoryview) -> None:
        while view:
            view = view[os.write(self._outgoing, view) :]

    def _read(self, length: int) -> bytearray:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            got = os.readv(self._incoming, [view])
            if not got:
                raise EOFError
            view = view[got:]
        return data
