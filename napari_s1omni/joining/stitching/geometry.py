"""The voxels that two neighbouring blocks have both segmented.

One row of a grid of blocks, halo ``h``; ``|`` are the faces between blocks::

    block A            |  block B            |  block C
    ...................|.....................|..........
    -- window of A ----+----->                               A sees h px into B
                 <-----+--- window of B -----+----->         B sees h px into A and into C
                 [==slab==]             [==slab==]
                 f-h   f   f+h          g-h   g   g+h

The slab of a face is the intersection of both windows: ``2 h`` px thick, and
along the face as long as the windows, so reaching ``h`` px beyond both ends.
In the plane, around the block ``A`` at (0, 0), the neighbours (0, 1), (1, 0)
and (1, 1)::

              f-h f f+h                      f-h f f+h
          ......:.:.:                    ......:.:.:
          :     +---+                    :     : | :
          :  A  |(0,1)                   :  A  : | :
          :     | | |                 +--------------+ ...   f-h
       f  -------------------      f  |  ----(1,0)---|----
          :     | | |                 +--------------+ ...   f+h
          ......+---+ f+h                      : | :

                  +---+ f-h
       f  --------|(1,1)---         the corner: 2h x 2h, for objects that
                  +---+ f+h         touch both blocks but neither of the others

Diagonal neighbours are compared too: an object can extend from one block to
another through their common corner or, in 3D, edge. Windows and slabs end at the
edge of the layer. An axis of halo 0 has no slabs: labels are never joined across
its faces.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

Box = tuple[slice, ...]
"""Half-open range per axis, in pixels of the layer, without step."""
Offset = tuple[int, ...]
"""Position of a neighbour in the grid of blocks: -1, 0 or 1 per axis."""


def window(block: Box, halo: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """Return the block and its halo, clipped at the edge of the layer.

    Parameters
    ----------
    block : tuple of slice
        Box that the block writes, in pixels of the layer.
    halo : tuple of int
        Halo in px per axis, on both sides.
    shape : tuple of int
        Size of the layer in px per axis.
    """
    return tuple(
        slice(max(side.start - grown, 0), min(side.stop + grown, size))
        for side, grown, size in zip(block, halo, shape, strict=True)
    )


def slabs(block: Box, halo: tuple[int, ...], shape: tuple[int, ...]) -> dict[Offset, Box]:
    """Return the voxels that a block shares with each of its neighbours, corners included.

    Both neighbours compute the same box: ``slabs(a)[d] == slabs(b)[-d]`` for a
    block ``b`` that stands at ``d`` from ``a``.

    Parameters
    ----------
    block : tuple of slice
        Box that the block writes, in pixels of the layer.
    halo : tuple of int
        Halo in px per axis.
    shape : tuple of int
        Size of the layer in px per axis.

    Returns
    -------
    dict of tuple of int to tuple of slice
        Up to 8 boxes in 2D and 26 in 3D, by the neighbour's offset; none towards the edge of the layer.
    """
    seen = window(block, halo, shape)
    choices: list[list[tuple[int, slice]]] = []
    for side, whole, grown, size in zip(block, seen, halo, shape, strict=True):
        choice = [(0, whole)]
        for step, face in ((-1, side.start), (1, side.stop)):
            if 0 < face < size and grown:
                choice.append((step, slice(max(face - grown, 0), min(face + grown, size))))
        choices.append(choice)
    return {
        offset: box
        for offset, box in (tuple(zip(*combination, strict=True)) for combination in itertools.product(*choices))
        if any(offset)
    }


def neighbour_pairs(grid: tuple[int, ...], halo: tuple[int, ...]) -> Iterator[tuple[int, int, Offset]]:
    """Yield every pair of neighbouring blocks once, in lexicographic order of the first.

    Parameters
    ----------
    grid : tuple of int
        Blocks per axis.
    halo : tuple of int
        Halo in px per axis; across the faces of an axis of halo 0 there are no pairs.

    Yields
    ------
    tuple of (int, int, tuple of int)
        Positions of both blocks in lexicographic order, and the offset of the second from the first, which
        is lexicographically positive.
    """
    offsets = [o for o in itertools.product(*((-1, 0, 1) if h else (0,) for h in halo)) if o > (0,) * len(grid)]
    strides = [math.prod(grid[axis + 1 :]) for axis in range(len(grid))]
    ahead = [sum(o * s for o, s in zip(offset, strides, strict=True)) for offset in offsets]
    for position, index in enumerate(itertools.product(*map(range, grid))):
        for offset, step in zip(offsets, ahead, strict=True):
            if all(0 <= i + o < n for i, o, n in zip(index, offset, grid, strict=True)):
                yield position, position + step, offset
