"""cigRockSEM: electron micrographs of rocks (Zhang, Wu and You, Scientific Data, 2025), IoU and Dice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.datasets.benchmark import Case, OperationType, read_image

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_MARKED = 127
"""Grey value above which a px of a mask is marked, as in the authors' program."""


class CigRockSEM:
    """Folders of rocks, each with images under ``imgs`` and masks of the same names under ``masks``.

    The folders may have longer names (``masks_threshold``) and a folder ``Cropped_512`` in them; a
    mask may be called ``NAME-label``.
    """

    name: ClassVar[str] = "cigrocksem"
    operation: ClassVar[OperationType] = "segmentation"
    protocol: ClassVar[str] = (
        "cigRockSEM: a folder per rock (mudstone, sandstone, shale) with imgs* and masks*, images of one name. "
        "Masks are marked where they are above 127. IoU and Dice of each image, means over the images of a rock. "
        "Predictions: masks under ROCK/NAME, marked above 127 or, where none is, above 0."
    )

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield one case per image that has a mask."""
        rocks = [f for f in sorted(folder.iterdir()) if f.is_dir()] if folder.is_dir() else []
        # A folder of one rock alone is as good.
        for rock in [folder, *rocks]:
            images, masks = (_files(rock, start) for start in ("imgs", "masks"))
            for stem, path in images.items():
                mask = masks.get(stem) or masks.get(f"{stem}-label")
                if mask is None:
                    continue
                truth = _grey(read_image(mask)) > _MARKED
                yield Case(
                    name=path.name,
                    group=rock.name,
                    image=_grey(read_image(path)),
                    truth=truth.astype(np.uint8),
                    options={"prompt": "segment the pores of the rock", "instances": False},
                    prediction=f"{rock.name}/{path.name}",
                )

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """IoU and Dice of what is marked."""
        found = predicted > (_MARKED if predicted.max() > _MARKED else 0)
        return {"IoU": metrics.iou(case.truth, found), "Dice": metrics.dice(case.truth, found)}


def _files(rock: Path, start: str) -> dict[str, Path]:
    """Images by stem, in the first folder whose name begins so, or in its crops."""
    for place in sorted(p for p in rock.iterdir() if p.is_dir() and p.name.lower().startswith(start)):
        for inner in (place / "Cropped_512", place):
            found = {p.stem: p for p in sorted(inner.glob("*")) if p.suffix.lower() in _ENDINGS}
            if found:
                return found
    return {}


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim != 2:
        raise SourceError(f"a picture of {image.ndim} dimensions", "a picture has rows and columns")
    return image
