"""What becomes of the linked objects of a stack: some are split along z, and thin ones are dropped.

Both rules read whole objects, however many blocks they lie in, so that the result does not depend on the blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.joining.stitching.numbering import Numbering
from napari_s1omni.joining.stitching.plane_areas import Parts, PlaneAreas, find_waists

_SHARE = 0.4
"""Share of the planes that an object of its size spans, below which it is debris or out of focus. Chosen on the same
stacks as the depth of a waist."""


@dataclass(frozen=True, slots=True)
class StackRule:
    """What becomes of the linked objects of a stack."""

    split: bool
    """Whether objects are split at their waists."""
    expected: float | None = None
    """Planes that an object of the stated size spans if it is as high as wide; None if size or spacing is unknown."""
    least: int | None = None
    """Fewest planes of an object; None: they follow from `expected` and from the objects that are found."""

    @property
    def bound(self) -> int:
        """The most planes that may be asked of an object; 1 asks nothing."""
        if self.least is not None:
            return self.least
        return 1 if self.expected is None else max(1, round(_SHARE * self.expected))

    def fewest(self, typical: int) -> int:
        """Return the fewest planes of an object.

        Parameters
        ----------
        typical : int
            Planes of the object in which the middle voxel of all objects lies. Flat nuclei span fewer planes than
            their width says, and none of them is dropped.
        """
        return self.bound if self.least is not None else max(1, min(self.bound, round(_SHARE * typical)))


KEEP_ALL = StackRule(split=False, least=1)
"""Objects stay as they were linked."""


@dataclass(frozen=True, slots=True)
class StackObjects:
    """The objects of a stack after they were measured plane by plane."""

    numbering: Numbering
    """With the cuts at waists."""
    thin: NDArray[np.int64]
    """Final ids of objects that lie in too few planes."""
    least: int
    """Fewest planes of an object that is kept."""


def split_stack(objects: Iterable[PlaneAreas], numbering: Numbering, rule: StackRule, depth: int) -> StackObjects:
    """Split objects at their waists, and find those that lie in too few planes.

    An object at the first or last plane may go on beyond, and is never thin.

    Parameters
    ----------
    objects : iterable of PlaneAreas
        Some of the objects at a time, each of them once and whole, with planes from 0 and ids of `numbering`.
    numbering : Numbering
        Of the joined objects.
    rule : StackRule
    depth : int
        Planes of the stack.
    """
    none = np.zeros(0, np.int64)
    cuts, thin = [(none, none)], [none]
    kept: list[Parts] = []
    voxels = np.zeros(depth + 1, np.int64)
    for rows in objects:
        waists = find_waists(rows) if rule.split else none
        cuts.append((rows.ids[waists], rows.planes[waists]))
        parts = Parts.of(rows, waists)
        np.add.at(voxels, parts.planes, parts.voxels)
        kept.append(parts.where((parts.planes < rule.bound) & (parts.first > 0) & (parts.last < depth - 1)))
    ids, planes = (np.concatenate(column) for column in zip(*cuts, strict=True))
    if len(ids):
        numbering = numbering.cut(ids, planes, depth)
    least = rule.fewest(_typical_planes(voxels))
    thin += [numbering.parts(p.ids, p.first) for p in (parts.where(parts.planes < least) for parts in kept)]
    return StackObjects(numbering, np.concatenate(thin), least)


def _typical_planes(voxels: NDArray[np.int64]) -> int:
    """Return the planes of the object in which the middle voxel lies, from the sums of voxels by number of planes."""
    return int(np.searchsorted(np.cumsum(voxels), voxels.sum() / 2))
