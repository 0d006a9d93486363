"""Read files with this package and with reference readers; count what differs in silence."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.benchmarks.reading.differences import Difference, differences
from napari_s1omni.benchmarks.reading.ours import read_ours
from napari_s1omni.benchmarks.reading.references.registry import references_of
from napari_s1omni.benchmarks.reading.seen import Seen
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


def check(path: Path, format: str, truth: Seen | None = None) -> Finding:
    """Compare how one file is read.

    Parameters
    ----------
    path : Path
    format : str
        Its row in the table.
    truth : Seen, optional
        What was written. A reference reader that contradicts it is not asked further: it loses something itself.
    """
    name = str(path)
    try:
        ours, notes = read_ours(path)
    except S1OmniError as error:
        return Finding(name, format, "refused", (f"{type(error).__name__}: {error}",))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Finding(name, format, "failed", (f"{type(error).__name__} at {where}: {error}",))
    found = [(seen.reader, differences(ours, seen)) for seen in _others(path, truth)]
    if not found:
        return Finding(name, format, "no reference")
    silent = _silent(found, notes)
    outcome = "silent" if silent else "noted" if any(differing for _, differing in found) else "equal"
    return Finding(name, format, outcome, silent)


def check_all(files: Iterable[tuple[Path, str, Seen | None]]) -> Iterator[Finding]:
    """Yield what :func:`check` finds about each file."""
    for path, format, truth in files:
        yield check(path, format, truth)


def table(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Return the number of files per format, and of each outcome; the last row is the sum."""
    rows: dict[str, dict[str, int]] = {}
    for finding in findings:
        for format in (finding.format, "all"):
            row = rows.setdefault(format, {"files": 0, **dict.fromkeys(OUTCOMES, 0)})
            row["files"] += 1
            row[finding.outcome] += 1
    return {name: rows[name] for name in (*sorted(rows.keys() - {"all"}), "all") if name in rows}


def _others(path: Path, truth: Seen | None) -> Iterator[Seen]:
    """Yield what was written, and what each reference reader sees."""
    if truth is not None:
        yield truth
    for _, read in references_of(path):
        try:
            seen = read()
        except Exception:
            # A reader that fails has no opinion.
            continue
        if truth is None or not differences(truth, seen):
            yield seen


def _silent(found: Sequence[tuple[str, Sequence[Difference]]], notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{d.aspect} ({reader}): {d.text}" for reader, differing in found for d in differing if not d.is_mentioned(notes)
    )
