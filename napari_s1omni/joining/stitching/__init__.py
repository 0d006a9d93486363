"""Stitching labels across blocks: functions on numpy arrays, without files or processes.

Every block is segmented separately over its *window*: the block and a halo. Two
neighbours therefore both predict the voxels that their windows share, and two
labels are one object if they agree there. Touching alone never joins labels: in
dense tissue every object touches its neighbours.

1. :func:`block_labels` keeps the labels that touch the block, as ids 1..n, and cuts
   the slabs that neighbours compare (:mod:`~napari_s1omni.joining.stitching.geometry`);
2. :func:`match_labels` compares the slabs of two neighbours (:mod:`~napari_s1omni.joining.stitching.matching`);
3. :func:`number_objects` joins the matched labels of all blocks and gives them final ids
   (:mod:`~napari_s1omni.joining.stitching.numbering`), one lookup table per block;
4. :func:`split_stack` splits and drops objects of a stack by their areas in all planes
   (:mod:`~napari_s1omni.joining.stitching.stacks`).

Interior labels never leave their block: only labels that are joined are held in
memory together.
"""

from __future__ import annotations

from napari_s1omni.joining.stitching.blocks import BlockLabels, block_labels
from napari_s1omni.joining.stitching.contingency import ContingencyTable, contingency_table
from napari_s1omni.joining.stitching.disjoint_sets import union
from napari_s1omni.joining.stitching.geometry import Box, Offset, neighbour_pairs, slabs, window
from napari_s1omni.joining.stitching.matching import PAIR, REASONS, Matches, MatchRule, match_labels
from napari_s1omni.joining.stitching.numbering import Numbering, number_objects
from napari_s1omni.joining.stitching.plane_areas import PlaneAreas
from napari_s1omni.joining.stitching.planes import link_planes
from napari_s1omni.joining.stitching.stacks import KEEP_ALL, StackObjects, StackRule, split_stack

__all__ = [
    "KEEP_ALL",
    "PAIR",
    "REASONS",
    "BlockLabels",
    "Box",
    "ContingencyTable",
    "MatchRule",
    "Matches",
    "Numbering",
    "Offset",
    "PlaneAreas",
    "StackObjects",
    "StackRule",
    "block_labels",
    "contingency_table",
    "link_planes",
    "match_labels",
    "neighbour_pairs",
    "number_objects",
    "slabs",
    "split_stack",
    "union",
    "window",
]
