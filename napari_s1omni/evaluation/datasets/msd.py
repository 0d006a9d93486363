"""MSD: the Medical Segmentation Decathlon (Antonelli et al., 2022), Dice per organ."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.datasets.benchmark import Case, OperationType
from napari_s1omni.evaluation.datasets.images import read_image


class MSD:
    """A task folder such as ``Task09_Spleen``: ``dataset.json``, ``imagesTr/``, ``labelsTr/``.

    Each label of ``dataset.json`` except background is a group.
    """

    name: ClassVar[str] = "msd"
    operation: ClassVar[OperationType] = "segmentation"
    protocol: ClassVar[str] = (
        "Medical Segmentation Decathlon: a task folder with dataset.json, imagesTr and labelsTr (NIfTI). "
        "Dice 2|A and B| / (|A| + |B|) of whole volumes, for each label; a volume whose truth lacks the label does "
        "not count for it. Only the first of several modalities is used. "
        "Predictions: label maps named like the images."
    )

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield one case per training volume and label."""
        path = folder / "dataset.json"
        try:
            listed = json.loads(path.read_text(encoding="utf-8"))
            labels = {int(value): str(name) for value, name in listed["labels"].items() if int(value)}
            pairs = [(folder / entry["image"], folder / entry["label"]) for entry in listed["training"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                f"{path} is not a dataset of the Medical Segmentation Decathlon ({type(error).__name__}: {error})",
                "dataset.json with 'labels' and 'training'",
                "name a task folder such as Task09_Spleen",
            ) from error
        for image, truth in pairs:
            pixels, labelled = read_image(image), read_image(truth)
            for value, organ in labels.items():
                yield Case(
                    name=image.name.split(".")[0],
                    group=organ,
                    image=pixels,
                    truth=(labelled == value).astype(np.uint8),
                    options={"prompt": f"segment the {organ}", "instances": False},
                    label=value,
                    prediction=image.name,
                )

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return Dice; NaN if the truth is empty."""
        return {"Dice": metrics.dice(case.truth, predicted) if case.truth.any() else math.nan}
