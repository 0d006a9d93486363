"""Oracles: layers with a known segmentation, and the table that ``s1omni bench stitching oracles`` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_s1omni.benchmarks.stitching.agreement import Agreement
from napari_s1omni.benchmarks.stitching.block_stitching import Stitched, block_boxes, stitch
from napari_s1omni.benchmarks.stitching.oracle_images import (
    contact,
    corner_objects,
    ellipses,
    mosaic,
    neck,
    random_mask,
    rings,
    serpent,
    u_shape,
    voronoi,
)
from napari_s1omni.benchmarks.stitching.window_engines import Labels, WindowEngine, components, known_ids


@dataclass(frozen=True, slots=True)
class Oracle:
    """A layer with a known segmentation, and its blocks."""

    name: str
    """Name in the table."""
    layer: Callable[[], Labels]
    """Makes the layer: a mask for connected components, true labels for known ids."""
    engine: Callable[[], WindowEngine]
    """Makes the engine."""
    block: tuple[int, ...]
    halo: tuple[int, ...]
    objects: int | None = None
    """Expected number of objects, if known in advance."""

    def truth(self, layer: Labels) -> Labels:
        """Label the whole layer at once."""
        return self.engine()(layer)

    def stitch(self, layer: Labels, order: Callable[[list[int]], list[int]] = list) -> Stitched:
        """Label the layer block by block and stitch."""
        return stitch(layer, self.engine(), self.block, self.halo, order)


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


def row(oracle: Oracle, shape: tuple[int, ...], agreement: Agreement) -> str:
    """Format one row of the table."""
    passed = agreement.equal and oracle.objects in (None, agreement.found)
    return (
        f"| {oracle.name} | {' x '.join(map(str, shape))} | {len(block_boxes(shape, oracle.block))} "
        f"| {agreement.expected} | {agreement.found} | {agreement.merges} | {agreement.splits} "
        f"| {agreement.information:.3g} "
        f"| {'yes' if passed else '**no**'} |\n"
    )


def markdown() -> tuple[str, bool]:
    """Run all oracles; return their table in Markdown and whether all of them passed."""
    text = HEAD
    for oracle in oracles():
        layer = oracle.layer()
        text += row(oracle, layer.shape, Agreement.of(oracle.truth(layer), oracle.stitch(layer).labels))
    return text, "**no**" not in text
