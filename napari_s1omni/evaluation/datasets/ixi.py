"""IXI: super-resolution of brain MR from low-pass filtered k-space; PSNR, and SSIM of slices along the third axis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.datasets.benchmark import Case, OperationType
from napari_s1omni.evaluation.datasets.images import read_image

_TOP = 99.9
"""Percentile of a volume that becomes 1."""
_MIN_HEAD = 0.1
"""Least share of pixels above a tenth of the range; slices with less are skipped."""


class IXI:
    """Files such as ``IXI-T1/IXI002-Guys-0828-T1.nii.gz``, or those of a single contrast."""

    name: ClassVar[str] = "ixi"
    operation: ClassVar[OperationType] = "super_resolution"
    protocol: ClassVar[str] = (
        "IXI: NIfTI files IXI*.nii.gz. Each volume is divided by its 99.9th percentile and clipped to 0..1 (range 1). "
        "Slices along the file's third axis; those with less than a tenth of the pixels above 0.1 are skipped. The "
        "low-resolution slice is the central half of k-space along both axes, aligned so that one of its pixels covers "
        "2 x 2 pixels of the truth; the degradation behind the published numbers is not documented, so this one is our "
        "choice. PSNR of the volume; SSIM (Gaussian window, sigma 1.5) as the mean over slices. Predictions: volumes "
        "of the kept slices, named like the images."
    )

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield one case per volume."""
        for path in sorted(p for p in folder.rglob("IXI*.nii*") if p.is_file()):
            volume = read_image(path).astype(np.float64)
            top = float(np.percentile(volume, _TOP)) or 1.0
            truth = np.clip(volume / top, 0, 1).astype(np.float32)
            truth = truth[:, : truth.shape[1] // 2 * 2, : truth.shape[2] // 2 * 2]
            truth = truth[(truth > 0.1).mean(axis=(1, 2)) >= _MIN_HEAD]
            if not len(truth):
                continue
            yield Case(
                name=path.name.split(".")[0],
                group=path.name.split(".")[0].rsplit("-", 1)[-1],
                image=halve_k_space(truth),
                truth=truth,
                options={"factor": 2, "prompt": "super-resolve the MR image"},
                prediction=path.name,
            )

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return the PSNR of the volume and the mean SSIM of its slices, for range 1."""
        found = np.clip(predicted.astype(np.float32), 0, 1)
        slices = [metrics.ssim(a, b, 1.0) for a, b in zip(case.truth, found, strict=True)]
        return {"PSNR (dB)": metrics.psnr(case.truth, found, 1.0), "SSIM": float(np.mean(slices))}


def halve_k_space(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep the central half of the k-space of each plane: (n, 2 h, 2 w) to (n, h, w).

    The phase is shifted by half a pixel of the truth, so that each pixel is centred on its 2 x 2 pixels.
    """
    spectrum = np.fft.fft2(planes)
    for axis in (1, 2):
        size = planes.shape[axis]
        frequency = np.fft.fftfreq(size)
        keep = np.flatnonzero(np.abs(frequency) < 0.25)
        # The outermost frequency has no counterpart; an even grid keeps one of the two.
        edge = np.flatnonzero(frequency == -0.25)
        chosen = np.concatenate([keep[: (len(keep) + 1) // 2], edge, keep[(len(keep) + 1) // 2 :]])
        shape = [1, 1, 1]
        shape[axis] = -1
        phase = np.exp(1j * np.pi * frequency[chosen]).reshape(shape)
        spectrum = np.take(spectrum, chosen, axis) * phase
    return np.asarray(np.fft.ifft2(spectrum).real / 4, np.float32)
