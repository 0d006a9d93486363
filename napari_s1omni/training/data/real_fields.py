"""Real training and validation fields, read from the folders of their data sets and normalised as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.engine.denoising import plane_noise
from napari_s1omni.engine.reference.stains import separate_stain
from napari_s1omni.errors import SourceError
from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.split import Subset, read_split, views

PERCENTILES = (0.1, 99.9)
"""Percentiles of a field's pixels that become 0 and 1, as for a layer."""
RATS = "axondeepseg_sem_rats"
"""Electron micrographs of axons, sharp enough for training super-resolution as well."""


def real_fields(data: Path, subset: Subset) -> list[Field]:
    """Read the real fields of one subset.

    Parameters
    ----------
    data : Path
        Folder of the data, with ``<task>/<dataset>/{images, masks, targets}`` and the table of annotated images.
    subset : {'train', 'validation', 'unseen', 'former_validation'}

    Raises
    ------
    SourceError
        If the table or a file of the split is missing.
    """
    seen_in = views(data)
    return [
        replace(field, view=seen_in.get((folder, stem), field.name))
        for folder, stems in read_split(data).items()
        for stem in stems.get(subset, ())
        for field in _read_fields(data, folder, stem)
    ]


def read_raw_pair(data: Path, folder: str, stem: str) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """Return the pixels of a field's file, (H, W) or (H, W, 3), and the instances of its first kind of object."""
    pixels = _read_image(data / folder / "images", stem)
    if pixels.ndim == 3:
        pixels = pixels[..., 0] if len(normalize_field(pixels)) == 1 else pixels[..., :3]
    dataset = folder.split("/")[-1]
    return pixels, _layers(dataset, _read_image(data / folder / "masks", stem))[0].labels


def read_raw_channels(data: Path, folder: str, stem: str) -> list[NDArray[Any]]:
    """Return the pixels of a field's source channels and then its target; of a super-resolution field only itself."""
    if folder.startswith("sr/"):
        return [_read_image(data / folder / "targets", stem)]
    sources, target = _channels(data / folder, folder.split("/")[-1], stem)
    return [*sources, target]


def normalize_field(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Bring a field to model range: (1, H, W) for grey images, (3, H, W) for colour images, whose hues stay.

    Colours of 8 bits keep the range 0 to 255; everything else is scaled by :data:`PERCENTILES`.
    """
    if pixels.ndim == 3:
        colours = pixels[..., :3]
        if (np.ptp(colours.astype(np.int64), axis=-1) == 0).all():
            return normalize_field(colours[..., 0])
        return np.asarray(np.moveaxis(colours / np.float32(255), -1, 0), np.float32)
    values = pixels.astype(np.float64)
    low, high = np.percentile(values, PERCENTILES)
    if high <= low:
        low, high = values.min(), max(values.max(), values.min() + 1)
    return Normalization((float(low),), (float(high),)).to_model(pixels[None])


def _read_fields(data: Path, folder: str, stem: str) -> Iterator[Field]:
    dataset = folder.split("/")[-1]
    if folder.startswith("translation/"):
        yield from _translation_fields(data / folder, dataset, stem)
    elif folder.startswith("sr/"):
        yield Field(stem, dataset, normalize_field(_read_image(data / folder / "targets", stem)), detail=True)
    else:
        pixels = _read_image(data / folder / "images", stem)
        mask = _read_image(data / folder / "masks", "maize_clsm_labels" if dataset == "maize_clsm" else stem)
        image = normalize_field(pixels)
        layers, noise = _layers(dataset, mask), plane_noise(image.mean(0))
        yield Field(stem, dataset, image, layers, noise, None, _stain_pairs(image), detail=dataset == RATS)


def _layers(dataset: str, mask: NDArray[Any]) -> tuple[Layer, ...]:
    """Return the kinds of objects in the mask of a data set."""
    if dataset in ("axondeepseg_sem", RATS):
        from skimage.segmentation import watershed

        grey = mask[..., 0] if mask.ndim == 3 else mask
        axons = ndi.label(ndi.binary_opening(grey > 191))[0]
        fibers = watershed(np.zeros(grey.shape), axons, mask=grey > 64)
        return (Layer("axons", axons.astype(np.uint16), False), Layer("fibers", fibers.astype(np.uint16), True))
    labels = mask.astype(np.uint16)
    if dataset == "maize_clsm":
        labels = np.where(labels == np.bincount(labels.ravel()).argmax(), 0, labels).astype(np.uint16)
        return (Layer("cells", labels, False),)
    stained = "histology" in dataset or "cytology" in dataset
    return (Layer("nuclei", labels, not stained),)


def _stain_pairs(image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    if len(image) == 1:
        return {}
    stains = {"hematoxylin": "eosin", "eosin": "hematoxylin"}
    return {stain: separate_stain(np.clip(image, 0, 1), stain, other) for stain, other in stains.items()}


def _translation_fields(folder: Path, dataset: str, stem: str) -> Iterator[Field]:
    """Yield a field per source channel, and one with two of them as colours, each paired with the nuclei."""
    sources, target = _channels(folder, dataset, stem)
    pair = {"nuclei": normalize_field(target)[0]}
    channels = [normalize_field(source)[0] for source in sources]
    for grey in channels:
        yield Field(stem, dataset, grey[None], pairs=pair)
    if len(channels) > 1:
        yield Field(stem, dataset, np.stack([channels[0], channels[1], np.zeros_like(channels[0])]), pairs=pair)


_CHANNEL_FILES = {
    "cellprofiler_fly": (("images/{}_R.TIF", "images/{}_F.TIF"), "targets/{}_D.TIF"),
    "vitra_nuclei_gfp": (("images/Channel_1-{}.tif",), "targets/Channel_2-{}.tif"),
    "isl_phase_neurons": (("images/{}.png",), "targets/dapi.png"),
    "nf1_schwann": (("images/{}_*_GFP_*.tif", "images/{}_*_RFP_*.tif"), "targets/{}_*_DAPI_*.tif"),
    "bpae": (("images/{}_actin.tif", "images/{}_mito.tif"), "targets/{}_nuclei.tif"),
}
"""Patterns of the source files and the target file of data sets with one file per channel."""
_NUCLEI_CHANNEL = {
    "IXMtest_A02_s9": 0,
    "xyc_8bit__dapi_tublin": 0,
    "xyc_16bit__nuclei_golgi": 0,
    "xyc_8bit__membranes_nuclei": 1,
    "xyc_16bit__nup_nuclei": 1,
    "xyc_16bit__cell_dna_mts_actin": 0,
    "xyc_8bit__tub_h2b_cecog_battery": 1,
}
"""Channel of the nuclei in multichannel files, by stem."""


def _channels(folder: Path, dataset: str, stem: str) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """Return up to two source channels and the channel of the nuclei."""
    if dataset in _CHANNEL_FILES:
        sources, target = _CHANNEL_FILES[dataset]
        return [_read_only(folder, name.format(stem)) for name in sources], _read_only(folder, target.format(stem))
    stack = _read_image(folder / "multichannel", stem)
    stack = stack if stack.shape[0] <= 4 else np.moveaxis(stack, -1, 0)
    at = _NUCLEI_CHANNEL[stem]
    return [channel for i, channel in enumerate(stack) if i != at][:2], stack[at]


def _read_image(folder: Path, stem: str) -> NDArray[Any]:
    found = sorted(folder.glob(f"{stem}.*"))
    return _read_file(found[0] if found else folder / stem)


def _read_only(folder: Path, pattern: str) -> NDArray[Any]:
    """Read the only file of a pattern."""
    found = sorted(folder.glob(pattern))
    return _read_file(found[0] if found else folder / pattern)


def _read_file(path: Path) -> NDArray[Any]:
    from skimage.io import imread

    if not path.is_file():
        raise SourceError(f"{path} is missing", "every file of the split", "download the data again")
    return np.asarray(imread(path))
