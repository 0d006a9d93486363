"""Layers as OME-Zarr images, to be opened by tests."""

import itertools

from napari_s1omni.planning.cost import SPILL_EDGE
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.result.store import ResultStore


def store_layer(source, path):
    """Write a layer as an OME-Zarr image with a pyramid, chunk by chunk; return its folder."""
    spec = source.spec
    block = tuple(
        min(n, SPILL_EDGE) if a in "yx" else n if a == "c" and spec.rgb else 1
        for a, n in zip(spec.axes, spec.shape, strict=True)
    )
    target, disk = spec.replace(source=None), Disk(durable=False)
    store = ResultStore.create(path, target=target, block=block, attributes={}, name="layer", disk=disk)
    for origin in itertools.product(*(range(0, n, b) for n, b in zip(spec.shape, block, strict=True))):
        box = tuple(slice(o, min(o + b, n)) for o, b, n in zip(origin, block, spec.shape, strict=True))
        store.write_block(origin, source.read(box))
    store.complete_pyramid()
    store.finish()
    return store.path
