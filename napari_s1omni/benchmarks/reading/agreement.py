"""Read files with this package and with reference readers; count what differs in silence."""

from __future__ import annotations

import itertools
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.benchmarks.reading.differences import differences
from napari_s1omni.benchmarks.reading.files import images
from napari_s1omni.benchmarks.reading.generated.series import generate
from napari_s1omni.benchmarks.reading.ours import read_ours
from napari_s1omni.benchmarks.reading.references.registry import references_of
from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen
from napari_s1omni.errors import S1OmniError

OUTCOMES = ("equal", "noted", "refused", "silent", "failed", "no reference")
"""What reading a file can come to; `silent` and `failed` are faults."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file."""

    path: str
    format: str
    outcome: str
    """One of :data:`OUTCOMES`."""
    texts: tuple[str, ...] = ()
    """Silent differences, or the error."""

    @property
    def is_fault(self) -> bool:
        return self.outcome in ("silent", "failed")


def check(path: Path, format: str, truth: Seen | None = None, *, main_only: bool = False) -> Finding:
    """Compare how one file is read.

    Parameters
    ----------
    path : Path
    format : str
        Its row in the table.
    truth : Seen, optional
        What was written. A reference reader that contradicts it is not asked further: it loses something itself.
    main_only : bool
        Ask only the first reference reader.
    """
    try:
        ours, notes = read_ours(path)
    except NotComparable:
        return Finding(str(path), format, "no reference")
    except Exception as error:
        return failure(path, format, error)
    others = [] if truth is None else [truth]
    others += [
        seen for seen in seen_by_others(path, main_only=main_only) if truth is None or not differences(truth, seen)
    ]
    return judge(path, format, ours, notes, others)


def failure(path: Path, format: str, error: Exception) -> Finding:
    """Return the finding for a file that was not read: refused by this package, or failed with another exception."""
    if isinstance(error, S1OmniError):
        return Finding(str(path), format, "refused", (f"{type(error).__name__}: {error}",))
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return Finding(str(path), format, "failed", (f"{type(error).__name__} at {where}: {error}",))


def judge(path: Path, format: str, ours: Seen, notes: Sequence[str], others: Iterable[Seen]) -> Finding:
    """Return the finding for a file that was read: what others see differently, and whether a note mentions it."""
    found = [(seen.reader, differences(ours, seen)) for seen in others]
    if not found:
        return Finding(str(path), format, "no reference")
    silent = tuple(
        f"{d.aspect} ({reader}): {d.text}"
        for reader, differing in found
        for d in differing
        if not d.is_mentioned(notes)
    )
    outcome = "silent" if silent else "noted" if any(differing for _, differing in found) else "equal"
    return Finding(str(path), format, outcome, silent)


def seen_by_others(path: Path, *, main_only: bool = False) -> Iterator[Seen]:
    """Yield what each reference reader sees, the main one first; one that fails has no opinion."""
    for read in itertools.islice(references_of(path), 1 if main_only else None):
        try:
            seen = read()
        except Exception:
            continue
        yield seen


def measure(
    data: Path | None, generated: int, seed: int = 0, most: int | None = None, keep: Path | None = None
) -> Iterator[Finding]:
    """Yield what is found about the images of a folder and about generated files.

    Parameters
    ----------
    data : Path, optional
        Folder of images of any format; by default none.
    generated : int
        Number of files to write and read.
    seed : int
        The same seed gives the same files.
    most : int, optional
        Images of one format taken from one folder; by default all.
    keep : Path, optional
        Where to leave the generated files.
    """
    for path, format in images(data, most) if data else ():
        yield check(path, format)
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as temporary:
        for made in generate(keep or Path(temporary), generated, seed):
            yield check(made.path, f"generated: {made.format}", made.truth)


def table(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Return the number of files per format, and of each outcome; the last row is the sum."""
    rows: dict[str, dict[str, int]] = {}
    for finding in findings:
        for format in (finding.format, "all"):
            row = rows.setdefault(format, {"files": 0, **dict.fromkeys(OUTCOMES, 0)})
            row["files"] += 1
            row[finding.outcome] += 1
    return {name: rows[name] for name in (*sorted(rows.keys() - {"all"}), "all") if name in rows}
