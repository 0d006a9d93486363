"""Compare two labelings of the same voxels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_s1omni.benchmarks.stitching.window_engines import Labels
from napari_s1omni.joining.stitching import ContingencyTable, contingency_table


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a result with the truth."""

    expected: int
    """Objects in the truth."""
    found: int
    """Objects in the result."""
    merges: int
    """Objects of the result that contain voxels of several true objects."""
    splits: int
    """True objects that are split into several."""
    missed: int
    """Voxels that are background in only one of the two labelings."""
    information: float
    """Variation of information in bits, with background as one more segment (Meila, "Comparing clusterings", 2003)."""

    @property
    def equal(self) -> bool:
        """Whether both labelings are the same partition."""
        return self.merges == self.splits == self.missed == 0 and self.expected == self.found

    @classmethod
    def of(cls, truth: Labels, result: Labels) -> Agreement:
        """Compare two labelings of the same shape."""
        return cls.from_tables([contingency_table(truth + 1, result + 1)])

    @classmethod
    def from_tables(cls, tables: Iterable[ContingencyTable]) -> Agreement:
        """Compare by contingency tables of parts of a layer; label 1 is background, objects start at 2."""
        rows = [(table.a, table.b, table.shared) for table in tables]
        a, b, shared = (np.concatenate(column) for column in zip(*rows, strict=True))
        # A pair of labels may occur in several parts.
        order = np.lexsort((b, a))
        a, b, shared = a[order], b[order], shared[order]
        first = np.flatnonzero(np.concatenate([[True], (np.diff(a) != 0) | (np.diff(b) != 0)]))
        a, b, shared = a[first], b[first], np.add.reduceat(shared, first)
        names_a, at_a = np.unique(a, return_inverse=True)
        names_b, at_b = np.unique(b, return_inverse=True)
        area_a, area_b = np.bincount(at_a, shared), np.bincount(at_b, shared)
        objects = (a > 1) & (b > 1)
        share = shared / shared.sum()
        information = -(share * (np.log2(shared / area_a[at_a]) + np.log2(shared / area_b[at_b]))).sum()
        return cls(
            expected=int((names_a > 1).sum()),
            found=int((names_b > 1).sum()),
            merges=int((np.bincount(at_b[objects], minlength=1) > 1).sum()),
            splits=int((np.bincount(at_a[objects], minlength=1) > 1).sum()),
            missed=int(shared[(a > 1) != (b > 1)].sum()),
            information=abs(float(information)),
        )
