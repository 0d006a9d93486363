"""A process that reads damaged images, with bounded memory and time: what breaks it breaks nothing else.

It reads requests from standard input, one line of JSON with ``path`` and ``original``, and answers each with one or
two lines: ``{"read": true}`` once this package has read the image, and then the outcome.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TextIO

from napari_s1omni.benchmarks.reading.agreement import Finding, failure, judge, seen_by_others
from napari_s1omni.benchmarks.reading.differences import differences
from napari_s1omni.benchmarks.reading.ours import read_ours
from napari_s1omni.benchmarks.reading.quiet import quiet
from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.source import open_source
from napari_s1omni.system.memory import limit_own_memory

MEMORY = 2 * 2**30
"""Bytes that reading one image may take; the largest picture that Pillow decodes needs three quarters of it."""
_CORNER = 8


def main() -> None:
    """Answer requests until standard input ends."""
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr
    limit_own_memory(MEMORY)
    for line in sys.stdin:
        request = json.loads(line)
        finding = _examine(Path(request["path"]), Path(request["original"]), answers)
        _answer(answers, {"outcome": finding.outcome, "text": "; ".join(finding.texts)})


def _answer(answers: TextIO, content: dict[str, object]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def _examine(path: Path, original: Path, answers: TextIO) -> Finding:
    try:
        ours, notes = read_ours(path)
        _read_levels(path)
    except NotComparable as error:
        return Finding(str(path), "", "unconfirmed", (str(error),))
    except Exception as error:
        if _ran_out_of_memory(error):
            return Finding(str(path), "", "memory", (f"{type(error).__name__}: {error}",))
        return failure(path, "", error)
    _answer(answers, {"read": True})
    other = list(seen_by_others(path, main_only=True))
    if other:
        return judge(path, "", ours, notes, other)
    was, known = _original(original)
    # The reference refuses it. It is right if nothing has changed, and a new note says that something is strange.
    if not differences(ours, was):
        return Finding(str(path), "", "equal")
    return Finding(str(path), "", "noted" if set(notes) - set(known) else "unconfirmed")


def _read_levels(path: Path) -> None:
    """Read a corner of each coarser level, as a viewer does; an error of this package is as good as an image."""
    try:
        with quiet():
            for level in open_source(path).levels():
                level.read(tuple(slice(0, min(n, _CORNER)) for n in level.spec.shape))
    except S1OmniError:
        pass


@functools.lru_cache(maxsize=4)
def _original(path: Path) -> tuple[Seen, tuple[str, ...]]:
    return read_ours(path)


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether it is a MemoryError, or was raised because of one."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
