"""Labels across blocks: pure algebra on numpy arrays, the same for one plane and for a hundred terabytes.

Every block is segmented on its own, over a *window*: the block and a halo. Two
neighbours therefore have each predicted the voxels that their windows share,
and what both predicted there decides whether two labels are one object.
Nothing is decided by touch: in dense tissue everything touches.

1. :func:`settle` keeps the labels that touch the block, as ids 1..n, and cuts
   the slabs that neighbours will ask for (:mod:`~napari_s1omni.joining.stitching.geometry`);
2. :func:`match` compares the slabs of two neighbours (:mod:`~napari_s1omni.joining.stitching.matching`);
3. :func:`number` joins the matched labels of all blocks and gives them final ids
   (:mod:`~napari_s1omni.joining.stitching.numbering`), one lookup table per block.

Interior labels never leave their block: only the labels that take part in a
join are held in memory together.
"""

from __future__ import annotations

from napari_s1omni.joining.stitching.geometry import Box, Offset, pairs, slabs, window
from napari_s1omni.joining.stitching.matching import PAIR, REASONS, Contingency, Matches, MatchRule, contingency, match
from napari_s1omni.joining.stitching.numbering import Numbering, Settled, number, settle, unite
from napari_s1omni.joining.stitching.planes import link_planes

__all__ = [
    "PAIR",
    "REASONS",
    "Box",
    "Contingency",
    "MatchRule",
    "Matches",
    "Numbering",
    "Offset",
    "Settled",
    "contingency",
    "link_planes",
    "match",
    "number",
    "pairs",
    "settle",
    "slabs",
    "unite",
    "window",
]
