"""Write small OME-Zarr images with zarr alone, as other programs write them, and labels into them."""

import json
from itertools import pairwise

import numpy as np
import zarr

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.result.store import ResultStore

FAST = Disk(durable=False)
TYPES = {"t": "time", "c": "channel"}
UNITS = {"t": "second", "c": None}


def sizes(shape, axes, factors, levels, rounding="ceil"):
    """Shape of each level; `factors` maps an axis to what it is divided by."""
    found = [tuple(shape)]
    for _ in range(levels - 1):
        steps = [factors.get(a, 1) for a in axes]
        found.append(
            tuple(max(1, -(-n // f) if rounding == "ceil" else n // f) for n, f in zip(found[-1], steps, strict=True))
        )
    return found


def write_image(
    path, version, pixels, axes, *, levels=2, factors=None, rounding="ceil", shifted=False, scale=None, name="cells"
):
    """Write an image of version 0.4 or 0.5 with every n-th pixel at each level; return its sizes and scales.

    `shifted` adds the half-pixel translations of levels; without it, levels have only a scale.
    """
    factors = factors or {"y": 2, "x": 2}
    old = version == "0.4"
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    scale = [(scale or {}).get(a, 1.0) for a in axes]
    shapes = sizes(pixels.shape, axes, factors, levels, rounding)
    datasets, fine = [], list(scale)
    for level, shape in enumerate(shapes):
        step = [factors.get(a, 1) ** level for a in axes]
        index = np.ix_(
            *(np.minimum(np.arange(n) * s, m - 1) for n, s, m in zip(shape, step, pixels.shape, strict=True))
        )
        options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}} if old else {"dimension_names": tuple(axes)}
        chunks = tuple(min(n, 64) if a in "yx" else 1 for n, a in zip(shape, axes, strict=True))
        group.create_array(str(level), data=pixels[index], chunks=chunks, **options)
        steps = [{"type": "scale", "scale": [s * f for s, f in zip(fine, step, strict=True)]}]
        if shifted:
            steps.append(
                {"type": "translation", "translation": [s * (f - 1) / 2 for s, f in zip(fine, step, strict=True)]}
            )
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    described = [
        {"name": a, "type": TYPES.get(a, "space"), **({"unit": u} if (u := UNITS.get(a, "micrometer")) else {})}
        for a in axes
    ]
    image = {"name": name, "axes": described, "datasets": datasets}
    ome = {"multiscales": [{"version": "0.4", **image} if old else image]}
    if "c" in axes:
        window = {"min": 0, "max": 65535, "start": 0, "end": 1000}
        ome["omero"] = {
            "channels": [
                {"label": f"stain {i}", "color": "00FF00", "active": True, "window": window}
                for i in range(pixels.shape[axes.index("c")])
            ]
        }
    group.attrs.update(ome if old else {"ome": {"version": "0.5", **ome}})
    return shapes


def labels_metadata(path):
    """OME-Zarr metadata of a group of either version."""
    if (path / "zarr.json").exists():
        return json.loads((path / "zarr.json").read_bytes())["attributes"]["ome"]
    return json.loads((path / ".zattrs").read_bytes())


def positions(metadata, axis, shape):
    """Position of every pixel of every level along one axis, as the metadata states it."""
    found = []
    for dataset, size in zip(metadata["datasets"], shape, strict=True):
        scale, shift = 1.0, 0.0
        for step in dataset["coordinateTransformations"]:
            if step["type"] == "scale":
                scale, shift = scale * step["scale"][axis], shift * step["scale"][axis]
            else:
                shift += step["translation"][axis]
        found.append(shift + scale * np.arange(size[axis]))
    return found


def nearest(coarse, fine):
    """Index of the nearest of `fine` for each of `coarse`, the first of two."""
    distance = np.abs(coarse[:, None] - fine[None])
    return np.argmax(distance <= distance.min(1, keepdims=True) + 1e-5 * abs(fine[-1] - fine[0] + 1), axis=1)


def follow(pixels, metadata, shapes, base):
    """Every level of labels by an independent way: from level `base`, each the nearest pixels of the one before."""
    levels = {base: pixels}
    order = [*pairwise(range(base, len(shapes))), *pairwise(range(base, -1, -1))]
    for before, level in order:
        index = []
        for axis in range(pixels.ndim):
            at = positions(metadata, axis, shapes)
            index.append(nearest(at[level], at[before]))
        levels[level] = levels[before][np.ix_(*index)]
    return [levels[i] for i in range(len(shapes))]


def ids(shape, seed=0):
    """Patches of ids with background between."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 40, tuple(-(-n // 4) for n in shape)).astype("uint32")
    for axis, n in enumerate(shape):
        patches = np.repeat(patches, 4, axis).take(range(n), axis)
    return patches * (patches > 9)


def write_labels(image, pixels, axes, block, *, place=None, name="nuclei", finish=True):
    """Write labels into an image block by block, in an order of chance; return the store and the digests."""
    target = LayerSpec(pixels.shape, tuple(axes), "uint32", kind="labels")
    store = ResultStore.create(
        image / "labels" / name,
        target=target,
        block=block,
        attributes={},
        name=name,
        into=place or LabelPlace(),
        disk=FAST,
    )
    blocks = list(np.ndindex(*(-(-n // b) for n, b in zip(pixels.shape, block, strict=True))))
    np.random.default_rng(1).shuffle(blocks)
    digests = {}
    for i, index in enumerate(map(tuple, blocks)):
        origin = tuple(k * b for k, b in zip(index, block, strict=True))
        digests[index] = store.write_block(
            origin, pixels[tuple(slice(o, o + b) for o, b in zip(origin, block, strict=True))]
        )
        if i % 3 == 0:
            store.complete_pyramid(digests)
    store.complete_pyramid(digests)
    if finish:
        store.finish(summary={"objects": int(pixels.max())})
    return store, digests
