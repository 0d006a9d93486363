"""Measures the objects of a stack plane by plane, after the labels of its blocks were joined.

Objects inside one block are measured there. The areas of objects that were joined across blocks go to a file, and are
added up for some of the objects at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from napari_s1omni.execution.stitching.block_labels import LocalLabels, stack_of
from napari_s1omni.execution.stitching.pair_file import PairFile
from napari_s1omni.joining.stitching import Numbering, PlaneAreas

_AREA = np.dtype([("id", "<i8"), ("plane", "<i8"), ("area", "<i8")])
_ROWS = 1 << 22
"""Rows of joined objects that are added up at a time."""


def plane_areas(
    labels: LocalLabels, numbering: Numbering, folder: Path | None, on_block: Callable[[str], None]
) -> Iterator[PlaneAreas]:
    """Yield the areas of whole objects in the planes of the result, each object once.

    Parameters
    ----------
    labels : LocalLabels
    numbering : Numbering
        Of the joined objects.
    folder : Path, optional
        Folder of temporary files; that of the system by default.
    on_block : callable
        Called with ``measure`` after each block; may raise to stop.
    """
    merged = numbering.merged_ids()
    with PairFile(folder, _AREA) as joined:
        for number in np.flatnonzero(labels.counts).tolist():
            core = stack_of(labels.scratch.core(labels.index(number)))
            rows = PlaneAreas.of(core, labels.planes(number).start)
            ids = numbering.lookup(number)[rows.ids]
            across = np.isin(ids, merged)
            found = np.zeros(int(across.sum()), _AREA)
            found["id"], found["plane"], found["area"] = ids[across], rows.planes[across], rows.areas[across]
            joined.append(found)
            # Ids of objects that are not joined ascend as their labels do.
            yield PlaneAreas(ids[~across], rows.planes[~across], rows.areas[~across])
            on_block("measure")
        rounds = -(-joined.count // _ROWS)
        for k in range(rounds):
            some = np.concatenate([rows[rows["id"] % rounds == k] for rows in joined.rows()])
            yield PlaneAreas.summed(some["id"], some["plane"], some["area"])
