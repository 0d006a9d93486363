"""Read volumes in the precomputed format of Neuroglancer, in a folder or behind a URL; its scales are levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.paths import name_in
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.chunk_stores.store_places import absent_chunks, plain_place, refuse_packed
from napari_s1omni.storage.readers.volumes.chunk_stores.tensor_store import (
    OpenTensor,
    TensorPixels,
    open_tensor,
    read_document,
)
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.levels import fitting_levels

INFO = "info"
"""The document of a volume."""
_CACHED_BYTES = 16_000_000
"""Kept of each scale with shards, whose index is needed by every read."""
_KINDS = ("image", "segmentation")


def describe() -> FormatInfo:
    """Describe the format; its volumes are folders."""
    return FormatInfo(
        "Neuroglancer precomputed", (), "tensorstore", "Apache-2.0", "volumes", "volumes that tensorstore writes"
    )


def is_volume(info: Mapping[str, Any] | None) -> bool:
    """Whether a document ``info`` is that of a volume; meshes, skeletons and annotations have one too."""
    return info is not None and isinstance(info.get("scales"), list) and "data_type" in info


def list_images(where: Path | str) -> Sequence[ImageHeader]:
    """List the one image of a volume."""
    place = plain_place(where)
    info = _info(place)
    scales = info["scales"]
    shape = tuple(int(n) for n in reversed(scales[0]["size"]))
    channels = int(info.get("num_channels", 1))
    axes, shape = ("czyx", (channels, *shape)) if channels > 1 else ("zyx", shape)
    size, units = _scale(scales[0]), dict.fromkeys("zyx", "nanometer")
    dtype = np.dtype(str(info["data_type"]))
    return [make_header(name_in(place), shape, dtype, axes, size, units, levels=len(scales))]


def read_image(where: Path | str, number: int) -> RawImage:
    """Return the volume with all its scales."""
    place = plain_place(where)
    info = _info(place)
    scales = info["scales"]
    labels = info.get("type") == "segmentation"
    several = int(info.get("num_channels", 1)) > 1
    axes = "czyx" if several else "zyx"
    levels = []
    for index, scale in enumerate(scales):
        refuse_packed(place, scale["key"])
        cached = _CACHED_BYTES if scale.get("sharding") else 0
        tensor = open_tensor("neuroglancer_precomputed", place, cached, scale_index=index)
        array = tensor.array if several else tensor.array[0]
        levels.append(TensorPixels.of(OpenTensor(array), f"scale {scale['key']} of {place}", axes))
    finest = levels[0]
    notes: list[str] = []
    if info.get("type") not in _KINDS:
        notes.append(f"the type {info.get('type')!r} of the volume is unknown; it is read as an image")
    coarser = fitting_levels(axes, finest, levels[1:], notes)
    if not labels and not scales[0].get("sharding"):
        notes += absent_chunks(finest, place, scales[0]["key"], nested=False)
    step = _scale(scales[0])
    offset = [float(n) for n in reversed(scales[0].get("voxel_offset") or (0, 0, 0))]
    beside = [key for key in ("mesh", "skeletons", "segment_properties") if info.get(key)]
    if beside:
        notes.append(f"{', '.join(beside)} of the volume are not read")
    return RawImage(
        pixels=finest,
        axes=axes,
        chunks=finest.chunks,
        scale=step,
        translate={a: n * step[a] for a, n in zip("zyx", offset, strict=True)},
        units=dict.fromkeys("zyx", "nanometer"),
        kind="labels" if labels else "image",
        coarser=coarser,
        notes=tuple(notes),
    )


def _scale(scale: Mapping[str, Any]) -> dict[str, float]:
    return {a: float(n) for a, n in zip("xyz", scale["resolution"], strict=True)}


def _info(place: str) -> dict[str, Any]:
    """Return the document of a volume."""
    info = read_document(place, INFO)
    if info is None or not is_volume(info):
        raise SourceError(
            f"{place} is no volume in the precomputed format: its document {INFO} "
            + ("is missing" if info is None else "has no scales"),
            "a volume has a document info with scales; meshes and annotations are not read",
            "check the address",
            path=place,
        )
    scales = info["scales"]
    try:
        wrong = not scales or any(len(s["size"]) != 3 or len(s["resolution"]) != 3 or not s["key"] for s in scales)
        wrong = wrong or any(min(map(int, s["size"])) < 1 or min(map(float, s["resolution"])) <= 0 for s in scales)
    except (KeyError, TypeError, ValueError):
        wrong = True
    if wrong:
        raise SourceError(
            f"{place}/{INFO}, key scales: {str(scales)[:80]}",
            "it is a list of scales, each with key, size, resolution and chunk_sizes",
            "write the document again",
            path=place,
        )
    return info
