"""Standard streams that take any text, also where they are closed or know only ASCII."""

from __future__ import annotations

import codecs
import io
import os
import sys

_HANDLER = "s1omni-output"


def open_standard_streams() -> None:
    """Make sure that files never take the place of a closed standard stream, and that no character ends the program."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given out: else the first file that is opened would be "standard output".
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error(_HANDLER, _encode)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def restart_in_utf8() -> None:
    """Start this program again in Python's UTF-8 mode where names of files would be ASCII, as with ``LC_ALL=C``.

    Python then cannot open a file with an umlaut in its name, nor print it.
    """
    if not is_unicode_name(sys.getfilesystemencoding()):
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])


def is_unicode(stream: object) -> bool:
    """Whether a stream can write every character."""
    return is_unicode_name(str(getattr(stream, "encoding", "")))


def is_unicode_name(encoding: str) -> bool:
    """Whether an encoding knows every character."""
    return encoding.lower().replace("-", "").startswith("utf")


def _encode(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write bytes of a file name as they were, and a question mark for a character that the stream does not know."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return b"".join(bytes([ord(c) - 0xDC00]) if 0xDC80 <= ord(c) <= 0xDCFF else b"?" for c in text), error.end
