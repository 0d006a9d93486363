"""The numbers of nano's model card: ``python -m napari_s1omni.evaluation.nano.card --data FOLDER``.

Everything runs through the public verbs, on fields that training never saw.
The scores that decide what ``auto`` means are written beside the weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.reference.stains import separate
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.engine.s1omni.checkpoint.model_store import show
from napari_s1omni.engine.s1omni.description import VALIDATION_NAME
from napari_s1omni.errors import OperationRefused
from napari_s1omni.evaluation.ablation import run_ablation
from napari_s1omni.evaluation.metrics import Counts, match, pearson, psnr
from napari_s1omni.evaluation.nano.page import CARD_NAME, rewrite
from napari_s1omni.evaluation.nano.traces import measure_traces
from napari_s1omni.jobs import run as api
from napari_s1omni.system.memory import own_peak
from napari_s1omni.training.data.pool import raw_channels, raw_pair, read_split
from napari_s1omni.training.data.resampling import enlarged

SETS = {
    "fluorescence": ("seg2d_nuclei/dsb2018_fluo", "segment the nuclei"),
    "tissue": ("seg2d_nuclei/dsb2018_tissue_512x640", "segment the nuclei"),
    "histology": ("seg2d_nuclei/dsb2018_histology", "segment the nuclei"),
    "stardist example": ("seg2d_nuclei/stardist_example", "segment the nuclei"),
    "axons (SEM)": ("seg2d_em/axondeepseg_sem", "segment the axons"),
}
"""Name in the card, folder, and what is asked."""


def segmentation(data: Path, engine: str) -> dict[str, Counts]:
    """Pooled counts at IoU 0.5 of each set's validation fields."""
    found = {}
    for name, (folder, prompt) in SETS.items():
        total = Counts()
        for stem in read_split()[folder]["validation"]:
            pixels, labels = raw_pair(data, folder, stem)
            result = api.segment(pixels, prompt=prompt, engine=engine, durable=False, **_axes(pixels))
            total += match(labels, np.asarray(result.array[...]).squeeze())[0]
        found[name] = total
    return found


def super_resolution(data: Path, engine: str, factor: int = 2, noise: float = 0.0) -> dict[str, tuple[float, float]]:
    """PSNR in dB of (bicubic, engine) for each validation field, blurred by one px and binned.

    With `noise`, Gaussian noise of this share of the field's range is added to what the camera sees.
    """
    found = {}
    rng = np.random.default_rng(0)
    for folder, sides in read_split().items():
        if not folder.startswith("sr/"):
            continue
        for stem in sides["validation"]:
            (sharp,) = raw_channels(data, folder, stem)
            truth, binned = degraded(sharp, factor)
            low, high = np.percentile(truth, (0.1, 99.9))
            binned += np.float32(noise * (high - low)) * rng.standard_normal(binned.shape, np.float32)
            result = api.super_resolve(binned, factor=factor, engine=engine, durable=False)
            drawn = np.asarray(result.array[...], np.float64).squeeze()
            plain = enlarged(binned[None], factor)[0]
            found[stem] = (psnr(truth, plain, high - low), psnr(truth, drawn, high - low))
    return found


def degraded(sharp: NDArray[Any], factor: int, sigma: float = 1.0) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the sharp field, cut to whole cells, and what a coarser camera behind a blur of `sigma` px sees of it."""
    height, width = (n // factor * factor for n in sharp.shape)
    truth = sharp[:height, :width]
    soft = ndi.gaussian_filter(truth.astype(np.float32), sigma)
    cells = soft.reshape(height // factor, factor, width // factor, factor)
    return truth, cells.mean((1, 3), dtype=np.float32)


def translation(data: Path, engine: str) -> dict[str, float]:
    """Pearson r of the predicted nuclei with the true ones, in the first 512 x 512 px of each validation field."""
    found = {}
    for folder, sides in read_split().items():
        if not folder.startswith("translation/"):
            continue
        for stem in sides["validation"]:
            *sources, target = (channel[:512, :512] for channel in raw_channels(data, folder, stem))
            stack = np.stack(sources)
            result = api.translate(
                stack, target="nuclei", engine=engine, axes="cyx", channels=tuple(range(len(stack))), durable=False
            )
            found[stem] = pearson(target, np.asarray(result.array[...]).squeeze())
    return found


def stains(data: Path, engine: str) -> dict[str, float]:
    """Pearson r of the drawn hematoxylin with colour deconvolution, per histology validation field."""
    folder = SETS["histology"][0]
    found = {}
    for stem in read_split()[folder]["validation"]:
        pixels, _ = raw_pair(data, folder, stem)
        light = np.asarray(np.moveaxis(pixels, -1, 0) / 255, np.float32)
        truth = separate(light, "hematoxylin", "eosin")
        result = api.translate(pixels, target="hematoxylin", engine=engine, axes="yxc", durable=False)
        found[stem] = pearson(truth, np.asarray(result.array[...]).squeeze())
    return found


def seconds_per_tile(engine: str, tile: int = 256, repeats: int = 3) -> dict[str, float]:
    """Seconds of thinking and of drawing one tile, in batches of 8, the best of some repeats.

    With the threads they took and the largest memory of this process so far in GB.
    """
    from napari_s1omni.core.noise import NoiseField

    loaded = create_engine(engine)
    threads = loaded.description.threads
    images = np.random.default_rng(0).random((8, 3, tile, tile), np.float32) * 0.2
    prompt = f"Task: segmentation\nTile: {tile} x {tile} px\nRequest: segment the nuclei"
    noise = [NoiseField(0, (0, 0), (0, 0), (tile, tile)) for _ in range(8)]
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        thoughts = loaded.think(images, prompt, Sampling())
        middle = time.perf_counter()
        loaded.generate(images, thoughts, Sampling(), noise)
        times.append((middle - begin, time.perf_counter() - middle))
    loaded.close()
    memory = own_peak() / 1e9
    think, draw = (min(column) / 8 for column in zip(*times, strict=True))
    return {"think": think, "draw": draw, "threads": threads, "memory": memory}


def scores(numbers: dict[str, Any]) -> dict[str, Any]:
    """Reduce the measured numbers to what decides between nano and the reference engine, per operation."""
    nuclei = ("fluorescence", "tissue", "histology")
    ap = {engine: float(np.mean([numbers["segmentation"][engine][name] for name in nuclei])) for engine in _ENGINES}
    sr = {
        engine: float(np.mean([own for _, own in numbers["super_resolution"][engine].values()])) for engine in _ENGINES
    }
    r = {engine: float(np.mean(list(numbers["stains"][engine].values()))) for engine in _ENGINES}
    return {
        "segmentation": {"metric": "AP at IoU 0.5, mean of three nuclei sets", **ap},
        "super_resolution": {"metric": "PSNR in dB, x2", **sr},
        # The targets that both engines know; nuclei from other channels only nano draws.
        "modality_translation": {"metric": "Pearson r of hematoxylin with colour deconvolution", **r},
    }


_ENGINES = ("nano", "reference")


def measure(data: Path, nano: str, parts: tuple[str, ...], control: str | None = None) -> dict[str, Any]:
    """Measure the asked parts for nano and, where it can do the same, for the reference engine."""
    numbers: dict[str, Any] = {}
    for label, engine in (("nano", nano), ("reference", "reference")):
        if "segmentation" in parts:
            counts = segmentation(data, engine)
            numbers.setdefault("segmentation", {})[label] = {k: c.average_precision for k, c in counts.items()}
        if "super_resolution" in parts:
            numbers.setdefault("super_resolution", {})[label] = super_resolution(data, engine)
        if "noisy" in parts:
            numbers.setdefault("noisy", {})[label] = {
                f"{noise:g}": super_resolution(data, engine, noise=noise) for noise in NOISES
            }
        if "stains" in parts:
            numbers.setdefault("stains", {})[label] = stains(data, engine)
        if "translation" in parts:
            try:
                numbers.setdefault("translation", {})[label] = translation(data, engine)
            except OperationRefused as refused:
                numbers["translation"][label] = refused.given
    if "traces" in parts:
        numbers["traces"] = measure_traces(nano)
    if "speed" in parts:
        numbers["seconds per tile"] = seconds_per_tile(nano)
    if "ablation" in parts:
        rows = run_ablation(nano, data, scenes=40, control=control)
        numbers["ablation"] = [dataclasses.asdict(row) for row in rows]
    return numbers


PARTS = ("segmentation", "super_resolution", "noisy", "translation", "stains", "traces", "speed", "ablation")
NOISES = (0.01, 0.02, 0.05)
"""Standard deviations of the noise added to sources that are restored, as shares of their range."""
NUMBERS_NAME = "numbers.json"
"""Beside the weights: everything that was measured, from which the card's tables are written."""


def write(folder: Path, found: dict[str, Any]) -> None:
    """Add what was found to the numbers beside the weights; rewrite scores and card from all of them.

    Numbers belong to weights: those of other weights are dropped.
    """
    path = folder / NUMBERS_NAME
    kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    weights = show(str(folder)).revision()
    numbers = {**(kept if kept.get("weights") == weights else {}), **found, "weights": weights}
    path.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    if {"segmentation", "super_resolution", "stains"} <= set(numbers):
        (folder / VALIDATION_NAME).write_text(json.dumps(scores(numbers), indent=1) + "\n", "utf-8")
    card = folder / CARD_NAME
    if card.is_file():
        rewrite(card, numbers)


def main() -> None:
    """Print the numbers as JSON; with ``--write`` keep them beside the weights, with scores and tables made of them."""
    parser = argparse.ArgumentParser(prog="python -m napari_s1omni.evaluation.nano.card", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images")
    parser.add_argument("--engine", default="nano", help="nano, or another folder in its layout")
    parser.add_argument("--control", help="folder of an editor that was trained with a task embedding only")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated, of " + ", ".join(PARTS))
    parser.add_argument("--write", type=Path, help="folder of the weights that were measured")
    arguments = parser.parse_args()
    for part in arguments.parts.split(","):
        numbers = measure(arguments.data, arguments.engine, (part,), arguments.control)
        sys.stdout.write(json.dumps(numbers, indent=1) + "\n")
        if arguments.write is not None:
            write(arguments.write, numbers)


def _axes(pixels: NDArray[Any]) -> dict[str, str]:
    return {"axes": "yxc"} if pixels.ndim == 3 else {}


if __name__ == "__main__":
    main()
