"""The oracles of stitching, and their table; ``s1omni bench stitching oracles`` prints it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.stitching.oracle_images import (
    Agreement,
    Labels,
    Stitched,
    WindowEngine,
    block_boxes,
    components,
    known_ids,
    rings,
    serpent,
    stitch,
    voronoi,
)
from napari_s1omni.benchmarks.stitching.scale import Ellipses


@dataclass(frozen=True, slots=True)
class Oracle:
    """A layer whose right answer is known, and how it is cut."""

    name: str
    """What is tested."""
    layer: Callable[[], Labels]
    """Makes what the engine sees: a mask for connected components, true labels for known ids."""
    engine: Callable[[], WindowEngine]
    """Makes the engine."""
    block: tuple[int, ...]
    halo: tuple[int, ...]
    objects: int | None = None
    """How many objects there must be, where that is known beforehand."""

    def truth(self, layer: Labels) -> Labels:
        """Return what the engine says of the whole layer."""
        return self.engine()(layer)

    def stitch(self, layer: Labels, order: Callable[[list[int]], list[int]] = list) -> Stitched:
        """Run the engine block by block and stitch."""
        return stitch(layer, self.engine(), self.block, self.halo, order)


def random_mask(shape: tuple[int, ...], share: float, seed: int = 0) -> NDArray[np.uint8]:
    """Random voxels; near the share at which clusters start to span the layer they wind through many blocks."""
    return np.asarray(np.random.default_rng(seed).random(shape) < share, np.uint8)


def neck(width: int) -> NDArray[np.uint8]:
    """Two squares on both sides of a face, joined by a neck of `width` px."""
    out = np.zeros((64, 64), np.uint8)
    out[20:40, 10:28], out[20:40, 36:54] = 1, 1
    out[30 : 30 + width, 28:36] = 1
    return out


def contact(width: int) -> NDArray[np.uint8]:
    """A square that reaches over a face by one px, `width` px wide."""
    out = np.zeros((64, 64), np.uint8)
    out[20:40, 12:32] = 1
    out[28 : 28 + width, 32] = 1
    return out


def corner_objects() -> NDArray[np.uint8]:
    """Objects at the corners of the array, where four blocks meet, and wholly inside the halo of a face."""
    out = np.zeros((96, 96), np.uint8)
    for y in (0, 95):
        out[y, [0, 95]] = 1
    out[30:34, 30:34] = 1
    out[63, 63] = out[64, 64] = 1
    out[10:13, 33:36] = 1
    out[10:13, 26:30] = 1
    out[31:33, 10] = 1
    return out


def u_shape() -> NDArray[np.uint8]:
    """Two bars, each through three blocks, joined in the last: one object, though no pair of faces shows it."""
    out = np.zeros((96, 96), np.uint8)
    out[4:92, 40:44] = out[4:92, 52:56] = 1
    out[88:92, 40:56] = 1
    return out


def mosaic(rows: int, columns: int) -> NDArray[np.int64]:
    """Touching squares of 2 px x 2 px, as many in a block as will fit."""
    return np.kron(np.arange(1, rows * columns + 1).reshape(rows, columns), np.ones((2, 2), np.int64))


def ellipses(edge: int, count: int) -> NDArray[np.int32]:
    """Touching ellipses over a whole square plane."""
    return Ellipses(edge, count).labels((slice(0, edge), slice(0, edge)))


def oracles() -> list[Oracle]:
    """Return all oracles that fit into memory."""
    found = []
    for connectivity, name, share in ((1, "4", 0.6), (2, "8", 0.42)):
        layer, engine = partial(random_mask, (250, 301), share), partial(components, connectivity)
        found.append(Oracle(f"components, 2D, {name} neighbours", layer, engine, (32, 48), (3, 5)))
    for connectivity, name, share in ((1, "6", 0.32), (3, "26", 0.1)):
        layer, engine = partial(random_mask, (40, 50, 61), share), partial(components, connectivity)
        found.append(Oracle(f"components, 3D, {name} neighbours", layer, engine, (13, 16, 16), (1, 2, 3)))
    layer, engine = partial(random_mask, (1, 250, 301), 0.6), partial(components, 1)
    found.append(Oracle("components, 3D of one plane", layer, engine, (1, 32, 48), (2, 3, 5)))
    nine = ((32, 32), (4, 4))
    either = partial(components, 1)
    found += [
        Oracle("serpent through 9 blocks", partial(serpent, (96, 96), 4), either, *nine, objects=1),
        Oracle("serpent, halo of 1 px", partial(serpent, (96, 96), 2), either, (32, 32), (1, 1), objects=1),
        Oracle("rings through 36 blocks", partial(rings, (192, 192), 12), either, *nine),
        Oracle("U through 6 blocks", u_shape, either, *nine, objects=1),
        Oracle("object larger than a block", partial(np.ones, (96, 96), np.uint8), either, *nine, objects=1),
        Oracle("halo corner, array corner, inside a halo", corner_objects, partial(components, 2), *nine, objects=9),
    ]
    for width in (1, 2, 3):
        found.append(Oracle(f"neck of {width} px", partial(neck, width), either, *nine, objects=1))
        found.append(Oracle(f"contact of {width} px", partial(contact, width), either, *nine, objects=1))
    found += [
        Oracle("known ids, touching ellipses", partial(ellipses, 1024, 900), known_ids, (256, 256), (32, 32), 900),
        Oracle("known ids, Voronoi without gap, 2D", partial(voronoi, (300, 300), 500), known_ids, (64, 64), (8, 8)),
        Oracle("known ids, Voronoi, halo of 1 px", partial(voronoi, (300, 300), 500), known_ids, (64, 64), (1, 1)),
        Oracle(
            "known ids, Voronoi without gap, 3D",
            partial(voronoi, (40, 60, 60), 300),
            known_ids,
            (16, 32, 32),
            (4, 4, 4),
        ),
        Oracle(
            "known ids, Voronoi, 3D of one plane",
            partial(voronoi, (1, 300, 300), 500),
            known_ids,
            (1, 64, 64),
            (0, 8, 8),
        ),
        Oracle(
            "more than 99,999 objects in a block", partial(mosaic, 640, 330), known_ids, (1280, 640), (8, 8), 640 * 330
        ),
    ]
    return found


HEAD = """\
| oracle | layer | blocks | expected | found | merged | split | VI (bit) | equal |
|---|---|---|---|---|---|---|---|---|
"""


def row(oracle: Oracle, shape: tuple[int, ...], seen: Agreement) -> str:
    """Write what an oracle found as a line of the table."""
    right = seen.equal and oracle.objects in (None, seen.found)
    return (
        f"| {oracle.name} | {' x '.join(map(str, shape))} | {len(block_boxes(shape, oracle.block))} "
        f"| {seen.expected} | {seen.found} | {seen.merges} | {seen.splits} | {seen.information:.3g} "
        f"| {'yes' if right else '**no**'} |\n"
    )


def markdown() -> tuple[str, bool]:
    """Run all oracles; return their table, and whether every one was met."""
    text = HEAD
    for oracle in oracles():
        layer = oracle.layer()
        text += row(oracle, layer.shape, Agreement.of(oracle.truth(layer), oracle.stitch(layer).labels))
    return text, "**no**" not in text
