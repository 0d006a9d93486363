"""cigRockSEM: electron micrographs of rocks (Zhang, Wu and You, Scientific Data, 2025), IoU and Dice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.datasets.benchmark import Case, OperationType
from napari_s1omni.evaluation.datasets.images import read_image

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_THRESHOLD = 127
"""Grey value above which a pixel of a mask is foreground, as in the authors' program."""


class CigRockSEM:
    """Folders of rocks, each with images in ``imgs`` and masks of the same names in ``masks``.

    The folders may have longer names (``masks_threshold``) and contain a folder ``Cropped_512``;
    a mask may be called ``NAME-label``.
    """

    name: ClassVar[str] = "cigrocksem"
    operation: ClassVar[OperationType] = "segmentation"
    protocol: ClassVar[str] = (
        "cigRockSEM: one folder per rock (mudstone, sandstone, shale) with imgs* and masks*, files of equal names. "
        "Mask pixels above 127 are foreground. IoU and Dice of each image, means over the images of a rock. "
        "Predictions: masks in ROCK/NAME; foreground is above 127 or, if no pixel is, above 0."
    )

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield one case per image that has a mask."""
        rocks = [f for f in sorted(folder.iterdir()) if f.is_dir()] if folder.is_dir() else []
        # The folder of a single rock is accepted as well.
        for rock in [folder, *rocks]:
            images, masks = (_files(rock, start) for start in ("imgs", "masks"))
            for stem, path in images.items():
                mask = masks.get(stem) or masks.get(f"{stem}-label")
                if mask is None:
                    continue
                truth = _grey(read_image(mask)) > _THRESHOLD
                yield Case(
                    name=path.name,
                    group=rock.name,
                    image=_grey(read_image(path)),
                    truth=truth.astype(np.uint8),
                    options={"prompt": "segment the pores of the rock", "instances": False},
                    prediction=f"{rock.name}/{path.name}",
                )

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return IoU and Dice of the foreground."""
        found = predicted > (_THRESHOLD if predicted.max() > _THRESHOLD else 0)
        return {"IoU": metrics.iou(case.truth, found), "Dice": metrics.dice(case.truth, found)}


def _files(rock: Path, start: str) -> dict[str, Path]:
    """Return images by stem, from the first folder whose name starts with `start`, or from its crops."""
    for path in sorted(p for p in rock.iterdir() if p.is_dir() and p.name.lower().startswith(start)):
        for inner in (path / "Cropped_512", path):
            found = {p.stem: p for p in sorted(inner.glob("*")) if p.suffix.lower() in _ENDINGS}
            if found:
                return found
    return {}


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim != 2:
        raise SourceError(f"an image of {image.ndim} dimensions", "a grey image with rows and columns")
    return image
