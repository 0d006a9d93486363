"""Measurements for nano's model card, through the public verbs, on fields that were not used in training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.api import segment, super_resolve, translate
from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.stains import separate_stain
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.evaluation.metrics import Counts, match, pearson, psnr
from napari_s1omni.system.memory import own_peak
from napari_s1omni.training.data.real_fields import read_raw_channels, read_raw_pair
from napari_s1omni.training.data.resampling import upsample
from napari_s1omni.training.data.split import read_split

SETS = {
    "fluorescence": ("seg2d_nuclei/dsb2018_fluo", "segment the nuclei"),
    "tissue": ("seg2d_nuclei/dsb2018_tissue_512x640", "segment the nuclei"),
    "histology": ("seg2d_nuclei/dsb2018_histology", "segment the nuclei"),
    "stardist example": ("seg2d_nuclei/stardist_example", "segment the nuclei"),
    "axons (SEM)": ("seg2d_em/axondeepseg_sem", "segment the axons"),
}
"""Name in the card, folder, and prompt."""


def segmentation(data: Path, engine: str) -> dict[str, Counts]:
    """Return the pooled counts at IoU 0.5 over the validation fields of each set."""
    found = {}
    for name, (folder, prompt) in SETS.items():
        total = Counts()
        for stem in read_split(data)[folder]["former_validation"]:
            pixels, labels = read_raw_pair(data, folder, stem)
            axes = "yxc" if pixels.ndim == 3 else None
            result = segment(pixels, prompt=prompt, engine=engine, durable=False, axes=axes)
            total += match(labels, np.asarray(result.array[...]).squeeze())[0]
        found[name] = total
    return found


def super_resolution(
    data: Path, engine: str, factor: Literal[2, 4] = 2, noise: float = 0.0
) -> dict[str, tuple[float, float]]:
    """Return the PSNR in dB of (bicubic, engine) for each validation field, blurred by one pixel and binned.

    Gaussian noise with a standard deviation of `noise`, as a share of the field's range, is added to the source.
    """
    found = {}
    rng = np.random.default_rng(0)
    for folder, stems in read_split(data).items():
        if not folder.startswith("sr/"):
            continue
        for stem in stems.get("former_validation", ()):
            (sharp,) = read_raw_channels(data, folder, stem)
            truth, binned = blur_and_bin(sharp, factor)
            low, high = np.percentile(truth, (0.1, 99.9))
            binned += np.float32(noise * (high - low)) * rng.standard_normal(binned.shape, np.float32)
            result = super_resolve(binned, factor=factor, engine=engine, durable=False)
            drawn = np.asarray(result.array[...], np.float64).squeeze()
            bicubic = upsample(binned[None], factor)[0]
            found[stem] = (psnr(truth, bicubic, high - low), psnr(truth, drawn, high - low))
    return found


def blur_and_bin(sharp: NDArray[Any], factor: int, sigma: float = 1.0) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the sharp field, cut to a multiple of `factor`, and the same blurred by `sigma` pixels and binned."""
    height, width = (n // factor * factor for n in sharp.shape)
    truth = sharp[:height, :width]
    soft = ndi.gaussian_filter(truth.astype(np.float32), sigma)
    cells = soft.reshape(height // factor, factor, width // factor, factor)
    return truth, cells.mean((1, 3), dtype=np.float32)


def translation(data: Path, engine: str) -> dict[str, float]:
    """Return Pearson r of predicted and true nuclei, in the first 512 x 512 pixels of each validation field."""
    found = {}
    for folder, stems in read_split(data).items():
        if not folder.startswith("translation/"):
            continue
        for stem in stems.get("former_validation", ()):
            *sources, target = (channel[:512, :512] for channel in read_raw_channels(data, folder, stem))
            stack = np.stack(sources)
            result = translate(
                stack, target="nuclei", engine=engine, axes="cyx", channels=tuple(range(len(stack))), durable=False
            )
            found[stem] = pearson(target, np.asarray(result.array[...]).squeeze())
    return found


def stains(data: Path, engine: str) -> dict[str, float]:
    """Return Pearson r of drawn hematoxylin and colour deconvolution, for each histology validation field."""
    folder = SETS["histology"][0]
    found = {}
    for stem in read_split(data)[folder]["former_validation"]:
        pixels, _ = read_raw_pair(data, folder, stem)
        light = np.asarray(np.moveaxis(pixels, -1, 0) / 255, np.float32)
        truth = separate_stain(light, "hematoxylin", "eosin")
        result = translate(pixels, target="hematoxylin", engine=engine, axes="yxc", durable=False)
        found[stem] = pearson(truth, np.asarray(result.array[...]).squeeze())
    return found


def seconds_per_tile(engine: str, tile: int = 256, repeats: int = 3) -> dict[str, float]:
    """Return the seconds for thinking about and drawing one tile, in batches of 8, the best of several repeats.

    Also returns the number of threads, and the peak memory of this process so far in GB.
    """
    loaded = create_engine(engine)
    threads = loaded.description.threads
    images = np.random.default_rng(0).random((8, 3, tile, tile), np.float32) * 0.2
    instruction = Instruction("segmentation", "segment the nuclei", (tile, tile))
    noise = [NoiseField(0, (0, 0), (0, 0), (tile, tile)) for _ in range(8)]
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        thoughts = loaded.think(images, instruction, Sampling())
        middle = time.perf_counter()
        loaded.generate(images, thoughts, Sampling(), noise)
        times.append((middle - begin, time.perf_counter() - middle))
    loaded.close()
    memory = own_peak() / 1e9
    think, draw = (min(column) / 8 for column in zip(*times, strict=True))
    return {"think": think, "draw": draw, "threads": threads, "memory": memory}
