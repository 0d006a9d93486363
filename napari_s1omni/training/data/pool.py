"""The pool: real and simulated fields, normalised whole, split by source field, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.engine.denoising import noise_sd
from napari_s1omni.engine.reference.stains import separate
from napari_s1omni.errors import SourceError
from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.shapes import relative_border_distance
from napari_s1omni.training.data.simulator import Simulator

Subset = Literal["train", "validation"]
PERCENTILES = (0.1, 99.9)
"""Of a field's px, these become 0 and 1, as for a layer."""


def read_split() -> dict[str, dict[str, list[str]]]:
    """Return file stems by folder and side. Fields, not crops, are split, so none is on both sides."""
    text = files("napari_s1omni.training.data").joinpath("split.json").read_text("utf-8")
    split: dict[str, dict[str, list[str]]] = json.loads(text)
    return split


def real_fields(data: Path, side: Subset) -> list[Field]:
    """Read the real fields of one side of the split.

    Parameters
    ----------
    data : Path
        Folder of the data, with ``<task>/<dataset>/{images, masks, targets}``.
    side : {'train', 'validation'}

    Raises
    ------
    SourceError
        If the folder lacks a file that the split names.
    """
    return [
        field for folder, sides in read_split().items() for stem in sides[side] for field in _read(data, folder, stem)
    ]


def simulated_fields(seed: int, count: int) -> list[Field]:
    """Draw `count` scenes."""
    simulator = Simulator(seed)
    return [simulator.scene() for _ in range(count)]


@dataclass(frozen=True, slots=True)
class PreparedField:
    """A field as the sampler cuts it: distances of whole objects are measured before any crop."""

    field: Field
    image: NDArray[np.float16]
    """(1 or 3, H, W), model range."""
    distances: tuple[NDArray[np.uint8], ...]
    """Per layer (H, W): distance to the object's border over its largest, times 255."""


def prepare(field: Field) -> PreparedField:
    """Measure the distances of every layer of a field."""
    distances = (np.rint(255 * relative_border_distance(layer.labels)).astype(np.uint8) for layer in field.layers)
    image = np.clip(field.image, -1, 2).astype(np.float16)
    return PreparedField(field, image, tuple(distances))


PACKED = (-0.2, 1.2)
"""Model range that the bytes of a packed pool span."""


def write_simulated_pool(path: Path, drawn: tuple[int, int]) -> None:
    """Write the pool of (seed, scenes)."""
    write_pool(path, [prepare(field) for field in simulated_fields(*drawn)])


def write_pool(path: Path, fields: Sequence[PreparedField], packed: bool = False) -> None:
    """Keep prepared fields in one ``.npz``; packed, it is compressed and images have 8 bits over :data:`PACKED`."""
    arrays: dict[str, NDArray[Any]] = {}
    facts = []
    for i, item in enumerate(fields):
        field = item.field
        arrays[f"{i}/image"] = _bytes(item.image) if packed else item.image
        for j, layer in enumerate(field.layers):
            arrays[f"{i}/labels{j}"] = layer.labels
            arrays[f"{i}/distance{j}"] = item.distances[j]
        for name, pair in field.pairs.items():
            arrays[f"{i}/pair/{name}"] = _bytes(pair) if packed else pair.astype(np.float16)
        layers = [[layer.noun, bool(layer.bright), layer.size_class] for layer in field.layers]
        facts.append([field.name, field.dataset, layers, field.noise, field.blur, list(field.pairs), field.detail])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    (np.savez_compressed if packed else np.savez)(partial, allow_pickle=False, **arrays)
    partial.rename(path)


def read_pool(path: Path) -> list[PreparedField]:
    """Inverse of :func:`write_pool`."""
    with np.load(path) as stored:
        facts = json.loads(stored["facts"].tobytes())
        return [_restored(stored, i, *fact) for i, fact in enumerate(facts)]


def _restored(
    stored: Any,
    i: int,
    name: str,
    dataset: str,
    layers: list[list[Any]],
    noise: float | None,
    blur: float | None,
    pairs: list[str],
    detail: bool,
) -> PreparedField:
    image = _model_range(stored[f"{i}/image"])
    kinds = tuple(Layer(noun, stored[f"{i}/labels{j}"], bright, size) for j, (noun, bright, size) in enumerate(layers))
    others = {key: _model_range(stored[f"{i}/pair/{key}"]) for key in pairs}
    field = Field(name, dataset, image, kinds, noise, blur, others, detail)
    return PreparedField(field, image, tuple(stored[f"{i}/distance{j}"] for j in range(len(layers))))


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = PACKED
    share = (np.clip(values.astype(np.float32), low, high) - low) / (high - low)
    return np.asarray(np.rint(255 * share), np.uint8)


def _model_range(values: NDArray[Any]) -> NDArray[np.float16]:
    if values.dtype == np.float16:
        return values
    low, high = PACKED
    return np.asarray(low + values.astype(np.float32) * ((high - low) / 255), np.float16)


def read_raw_pair(data: Path, folder: str, stem: str) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """Return a field as its file holds it, (H, W) or (H, W, 3), and the instances of its first kind of object."""
    pixels = _open(data / folder / "images", stem)
    if pixels.ndim == 3:
        pixels = pixels[..., 0] if len(normalize_field(pixels)) == 1 else pixels[..., :3]
    dataset = folder.split("/")[-1]
    return pixels, _layers(dataset, _open(data / folder / "masks", stem))[0].labels


def read_raw_channels(data: Path, folder: str, stem: str) -> list[NDArray[Any]]:
    """Return a field's source channels and then its target, as the files hold them; of a sharp field just itself."""
    if folder.startswith("sr/"):
        return [_open(data / folder / "targets", stem)]
    sources, target = _channels(data / folder, folder.split("/")[-1], stem)
    return [*sources, target]


# Reading the folders.


def _read(data: Path, folder: str, stem: str) -> Iterator[Field]:
    dataset = folder.split("/")[-1]
    if folder.startswith("translation/"):
        yield from _translation(data / folder, dataset, stem)
    elif folder.startswith("sr/"):
        yield Field(stem, dataset, normalize_field(_open(data / folder / "targets", stem)), detail=True)
    else:
        pixels = _open(data / folder / "images", stem)
        mask = _open(data / folder / "masks", "maize_clsm_labels" if dataset == "maize_clsm" else stem)
        image = normalize_field(pixels)
        yield Field(stem, dataset, image, _layers(dataset, mask), noise_sd(image.mean(0)), None, _stains(image))


def _layers(dataset: str, mask: NDArray[Any]) -> tuple[Layer, ...]:
    if dataset == "axondeepseg_sem":
        from skimage.segmentation import watershed

        grey = mask[..., 0] if mask.ndim == 3 else mask
        axons = ndi.label(ndi.binary_opening(grey > 191))[0]
        fibers = watershed(np.zeros(grey.shape), axons, mask=grey > 64)
        return (Layer("axons", axons.astype(np.uint16), False), Layer("fibers", fibers.astype(np.uint16), True))
    labels = mask.astype(np.uint16)
    if dataset == "maize_clsm":
        labels = np.where(labels == np.bincount(labels.ravel()).argmax(), 0, labels).astype(np.uint16)
        return (Layer("cells", labels, False),)
    return (Layer("nuclei", labels, "histology" not in dataset),)


def _stains(image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    if len(image) == 1:
        return {}
    stains = {"hematoxylin": "eosin", "eosin": "hematoxylin"}
    return {stain: separate(np.clip(image, 0, 1), stain, other) for stain, other in stains.items()}


def _translation(folder: Path, dataset: str, stem: str) -> Iterator[Field]:
    sources, target = _channels(folder, dataset, stem)
    pair = {"nuclei": normalize_field(target)[0]}
    shown = [normalize_field(source)[0] for source in sources]
    for grey in shown:
        yield Field(stem, dataset, grey[None], pairs=pair)
    if len(shown) > 1:
        yield Field(stem, dataset, np.stack([shown[0], shown[1], np.zeros_like(shown[0])]), pairs=pair)


_FILES = {
    "cellprofiler_fly": (("images/{}_R.TIF", "images/{}_F.TIF"), "targets/{}_D.TIF"),
    "vitra_nuclei_gfp": (("images/Channel_1-{}.tif",), "targets/Channel_2-{}.tif"),
    "bpae": (("images/{}_actin.tif", "images/{}_mito.tif"), "targets/{}_nuclei.tif"),
}
_NUCLEI_AT = {
    "IXMtest_A02_s9": 0,
    "xyc_8bit__dapi_tublin": 0,
    "xyc_16bit__nuclei_golgi": 0,
    "xyc_8bit__membranes_nuclei": 1,
    "xyc_16bit__nup_nuclei": 1,
    "xyc_16bit__cell_dna_mts_actin": 0,
    "xyc_8bit__tub_h2b_cecog_battery": 1,
}


def _channels(folder: Path, dataset: str, stem: str) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    if dataset in _FILES:
        sources, target = _FILES[dataset]
        return [_load(folder / name.format(stem)) for name in sources], _load(folder / target.format(stem))
    stack = _open(folder / "multichannel", stem)
    stack = stack if stack.shape[0] <= 4 else np.moveaxis(stack, -1, 0)
    at = _NUCLEI_AT[stem]
    return [channel for i, channel in enumerate(stack) if i != at][:2], stack[at]


def _open(folder: Path, stem: str) -> NDArray[Any]:
    found = sorted(folder.glob(f"{stem}.*"))
    return _load(found[0] if found else folder / stem)


def _load(path: Path) -> NDArray[Any]:
    from skimage.io import imread

    if not path.is_file():
        raise SourceError(f"{path} is missing", "every file that the split names", "fetch the data again")
    return np.asarray(imread(path))


def normalize_field(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Bring a field to model range: (1, H, W) of a grey one, (3, H, W) of a coloured one, whose hues stay.

    Colours of 8 bit keep 0 to 255 as their range; everything else is scaled by :data:`PERCENTILES`.
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
