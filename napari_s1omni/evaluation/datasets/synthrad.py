"""SynthRAD2025: CT synthesised from MR or cone-beam CT (Thummerer et al., 2025), scored inside the body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.datasets.benchmark import Case, OperationType
from napari_s1omni.evaluation.datasets.images import read_image

RANGE = (-1024.0, 3071.0)
"""Range in HU to which CTs are clipped before PSNR and MS-SSIM."""
PEAK = 4000.0
"""Range of PSNR in HU."""
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five levels of MS-SSIM (Wang, Simoncelli and Bovik, 2003)."""
_EDGE = 97
"""Least size per axis for five levels; smaller volumes are padded with their edge values."""
_WINDOW = 7
_SOURCES = ("mr", "cbct")


class SynthRAD:
    """``Task1/AB/PATIENT`` with ``ct``, ``mask`` and ``mr`` (task 1) or ``cbct`` (task 2), as .mha or .nii.gz."""

    name: ClassVar[str] = "synthrad2025"
    operation: ClassVar[OperationType] = "modality_translation"
    protocol: ClassVar[str] = (
        "SynthRAD2025: a folder per patient with ct, mask and mr or cbct (.mha or .nii.gz). Inside the body mask: MAE "
        "in HU; PSNR with a range of 4000 HU, of volumes clipped to -1024..3071; MS-SSIM of five levels in 3D (window "
        "7, the mean inside the mask at each level, outside set to -1024). Values 0 to 1 drawn by an engine are taken "
        "as -1024 to 3071 HU. Predictions: PATIENT.mha or .nii.gz in HU."
    )

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield one case per patient."""
        for truth in sorted(folder.rglob("ct.*")):
            patient = truth.parent
            source = next((found for kind in _SOURCES if (found := _find(patient, kind))), None)
            mask = _find(patient, "mask")
            if source is None or mask is None:
                raise SourceError(
                    f"{patient} lacks {'its mask' if source else 'mr and cbct'}",
                    "ct, mask and mr or cbct",
                    "complete it",
                )
            suffixes = "".join(truth.suffixes)
            yield Case(
                name=patient.name,
                group=f"{source.name.split('.')[0]} {patient.parent.name}",
                image=read_image(source),
                truth=read_image(truth).astype(np.float32),
                options={"prompt": "translate to CT", "target": "CT"},
                inside=read_image(mask) > 0,
                prediction=f"{patient.name}{suffixes}",
            )

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return MAE, PSNR and MS-SSIM inside the body."""
        inside = case.inside if case.inside is not None else np.ones(case.truth.shape, bool)
        low, high = RANGE
        found = predicted.astype(np.float64)
        if predicted.dtype.kind == "f" and abs(found).max() <= 8:
            # An engine returns model range; no CT in HU has so small a range.
            found = low + found * (high - low)
        truth = case.truth.astype(np.float64)
        clipped, drawn = np.clip(truth, low, high), np.clip(found, low, high)
        return {
            "MAE (HU)": float(np.abs(truth - found)[inside].mean()),
            "PSNR (dB)": metrics.psnr(clipped[inside], drawn[inside], PEAK),
            "MS-SSIM": ms_ssim(clipped, drawn, inside, low, high),
        }


def ms_ssim(truth: NDArray[Any], predicted: NDArray[Any], inside: NDArray[np.bool_], low: float, high: float) -> float:
    """Return the multi-scale structural similarity of volumes inside a mask.

    At each level, the map ``(l c s) ** weight`` of luminance, contrast and structure is averaged over
    the mask; the result is the product over the levels. Between levels, volumes are averaged over 2 voxels
    per axis, and every second voxel of the mask is kept. Luminance counts at every level, as in the
    challenge's program, not only at the coarsest as in the paper.

    Parameters
    ----------
    truth, predicted : (z, y, x)
    inside : bool (z, y, x)
    low, high : float
        Range of the values; values outside the mask are set to `low`.
    """
    span = high - low
    pads = [((n := max(0, _EDGE - size)) // 2, n - n // 2) for size in truth.shape]
    a, b = (np.pad(np.where(inside, v - low, 0.0), pads, mode="edge") for v in (truth, predicted))
    mask = np.pad(inside, pads, mode="edge")
    result = 1.0
    rim = (slice(_WINDOW // 2, -(_WINDOW // 2)),) * a.ndim
    for weight in WEIGHTS:
        kept = mask[rim]
        values = _similarity(a, b, span)[rim][kept]
        # A small mask may have no voxels left at a coarse level.
        result *= float(np.clip((values**weight).mean(), 0, 1)) if kept.any() else 1.0
        a, b = (ndi.uniform_filter(v, 2, mode="constant")[(slice(None, None, 2),) * v.ndim] for v in (a, b))
        mask = mask[(slice(None, None, 2),) * mask.ndim]
    return result


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64], span: float) -> NDArray[np.float64]:
    """Return the product of luminance, contrast and structure, each at least 0."""
    n = _WINDOW**a.ndim
    first, second = (0.01 * span) ** 2, (0.03 * span) ** 2

    def mean(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ndi.uniform_filter(v, _WINDOW))

    ma, mb = mean(a), mean(b)
    va, vb, vab = (
        np.asarray(n / (n - 1) * m) for m in (mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb)
    )
    va, vb = np.maximum(va, 0), np.maximum(vb, 0)
    both = np.sqrt(va * vb)
    luminance = (2 * ma * mb + first) / (ma * ma + mb * mb + first)
    contrast = (2 * both + second) / (va + vb + second)
    structure = (vab + second / 2) / (both + second / 2)
    return np.asarray(np.maximum(luminance, 0) * np.maximum(contrast, 0) * np.maximum(structure, 0))


def _find(patient: Path, kind: str) -> Path | None:
    return next(
        (p for p in (patient / f"{kind}.mha", patient / f"{kind}.nii.gz", patient / f"{kind}.nii") if p.is_file()), None
    )
