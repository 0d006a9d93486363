"""The numbers of nano's model card: ``python -m napari_s1omni.evaluation.nano.card --data FOLDER``.

The scores by which ``auto`` chooses an engine are written to the folder of the weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.engine.s1omni.checkpoint.model_store import open_model
from napari_s1omni.engine.s1omni.description import VALIDATION_NAME
from napari_s1omni.errors import OperationRefused
from napari_s1omni.evaluation.ablation.run import run_ablation
from napari_s1omni.evaluation.nano import measurements
from napari_s1omni.evaluation.nano.page import CARD_NAME, rewrite
from napari_s1omni.evaluation.nano.traces import measure_traces

PARTS = ("segmentation", "super_resolution", "noisy", "translation", "stains", "traces", "speed", "ablation")
NOISES = (0.01, 0.02, 0.05)
"""Standard deviations of the noise added to sources of super-resolution, as shares of their range."""
NUMBERS_NAME = "numbers.json"
"""File in the folder of the weights with all numbers, from which the tables of the card are written."""
_ENGINES = ("nano", "reference")


def measure(data: Path, nano: str, parts: tuple[str, ...], control: str | None = None) -> dict[str, Any]:
    """Measure some of :data:`PARTS` for nano and, where it supports the same, for the reference engine.

    Parameters
    ----------
    data : Path
        Folder of the real images.
    nano : str
        ``nano`` or a folder in its layout.
    parts : tuple of str
    control : str, optional
        Folder of an editor trained with a task embedding only, for the ablation.
    """
    compared: dict[str, Callable[[str], Any]] = {
        "segmentation": lambda engine: _segmentation(data, engine),
        "super_resolution": lambda engine: measurements.super_resolution(data, engine),
        "noisy": lambda engine: _noisy(data, engine),
        "stains": lambda engine: measurements.stains(data, engine),
        "translation": lambda engine: _translation(data, engine),
    }
    engines = zip(_ENGINES, (nano, "reference"), strict=True)
    numbers: dict[str, Any] = {}
    for label, engine in engines:
        for name, compare in compared.items():
            if name in parts:
                numbers.setdefault(name, {})[label] = compare(engine)
    if "traces" in parts:
        numbers["traces"] = measure_traces(nano)
    if "speed" in parts:
        numbers["seconds per tile"] = measurements.seconds_per_tile(nano)
    if "ablation" in parts:
        rows = run_ablation(nano, data, scenes=40, control=control)
        numbers["ablation"] = [dataclasses.asdict(row) for row in rows]
    return numbers


def validation_scores(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return the score of nano and of the reference engine for each operation, by which ``auto`` chooses."""
    nuclei = ("fluorescence", "tissue", "histology")
    ap = {engine: _mean([numbers["segmentation"][engine][name] for name in nuclei]) for engine in _ENGINES}
    sr = {engine: _mean([own for _, own in numbers["super_resolution"][engine].values()]) for engine in _ENGINES}
    r = {engine: _mean(list(numbers["stains"][engine].values())) for engine in _ENGINES}
    return {
        "segmentation": {"metric": "AP at IoU 0.5, mean of three nuclei sets", **ap},
        "super_resolution": {"metric": "PSNR in dB, x2", **sr},
        # A target that both engines draw; only nano draws nuclei from other channels.
        "modality_translation": {"metric": "Pearson r of hematoxylin with colour deconvolution", **r},
    }


def write_numbers(folder: Path, found: dict[str, Any]) -> None:
    """Add numbers to those in the folder of the weights; rewrite scores and card from all of them.

    Numbers that were measured with other weights are dropped.
    """
    path = folder / NUMBERS_NAME
    kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    weights = open_model(str(folder)).revision()
    numbers = {**(kept if kept.get("weights") == weights else {}), **found, "weights": weights}
    path.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    if {"segmentation", "super_resolution", "stains"} <= set(numbers):
        scores = validation_scores(numbers)
        (folder / VALIDATION_NAME).write_text(json.dumps(scores, indent=1) + "\n", "utf-8")
    card = folder / CARD_NAME
    if card.is_file():
        rewrite(card, numbers)


def main() -> None:
    """Print the numbers as JSON; with ``--write`` also keep them with the weights and update scores and tables."""
    parser = argparse.ArgumentParser(prog="python -m napari_s1omni.evaluation.nano.card", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images")
    parser.add_argument("--engine", default="nano", help="nano, or another folder in its layout")
    parser.add_argument("--control", help="folder of an editor trained with a task embedding only")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated, of " + ", ".join(PARTS))
    parser.add_argument("--write", type=Path, help="folder of the measured weights")
    arguments = parser.parse_args()
    for part in arguments.parts.split(","):
        numbers = measure(arguments.data, arguments.engine, (part,), arguments.control)
        sys.stdout.write(json.dumps(numbers, indent=1) + "\n")
        if arguments.write is not None:
            write_numbers(arguments.write, numbers)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _segmentation(data: Path, engine: str) -> dict[str, float]:
    return {name: counts.average_precision for name, counts in measurements.segmentation(data, engine).items()}


def _noisy(data: Path, engine: str) -> dict[str, Any]:
    return {f"{noise:g}": measurements.super_resolution(data, engine, noise=noise) for noise in NOISES}


def _translation(data: Path, engine: str) -> Any:
    """Return the scores by field, or the reason why the engine does not support it."""
    try:
        return measurements.translation(data, engine)
    except OperationRefused as refused:
        return refused.given


if __name__ == "__main__":
    main()
