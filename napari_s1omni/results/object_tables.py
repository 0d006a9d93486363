"""The objects of a result as tables of a size that fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_s1omni.errors import PlanError
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import Columns
from napari_s1omni.storage.source import Source

_SORTED_ROWS = 1_000_000
"""Tables of up to this many objects are sorted by label before they are written."""


def object_tables(
    result: Result, image: Source | None = None, channels: Sequence[int | str] | None = None
) -> Iterator[Columns]:
    """Yield one table sorted by label, or, where it could fill the memory, one per block.

    Parameters
    ----------
    result : Result
    image, channels
        As in :meth:`~napari_s1omni.results.result.Result.table`.

    Raises
    ------
    PlanError
        If the result is an image, or unfinished; before anything is measured.
    """
    if result.spec.kind != "labels":
        raise PlanError(f"{result.uri} is an image", "measuring needs a mask", "segment it first")
    if not result.complete:
        raise PlanError(f"{result.uri} is unfinished", "a finished result", f"finish it: s1omni resume {result.uri}")
    return _tables(result, image, channels)


def _tables(result: Result, image: Source | None, channels: Sequence[int | str] | None) -> Iterator[Columns]:
    if (result.summary.get("objects") or 0) <= _SORTED_ROWS:
        yield result.table(image, channels)
    else:
        yield from result.measure(image, channels)
