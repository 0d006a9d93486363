"""Normalization: layer intensities to model range and back. Affine, never clipping, once per job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import PlanError


@dataclass(frozen=True, slots=True)
class Normalization:
    """For each channel, the layer intensities that become 0 and 1 in model range.

    Values outside stay outside. It is measured on the whole layer before the
    plan is made (:func:`napari_s1omni.storage.measure`), never on a tile, so
    neighbouring tiles agree.
    """

    low: tuple[float, ...]
    """Layer intensity of model value 0, per channel."""
    high: tuple[float, ...]
    """Layer intensity of model value 1, per channel."""
    nonfinite: int = 0
    """NaN and infinite px among those measured; they count as background."""
    sampled: float = 1.0
    """Share of the layer's px that was measured."""
    note: str = ""
    """How the two intensities were found."""

    def __post_init__(self) -> None:
        pairs = list(zip(self.low, self.high, strict=True))
        if not pairs or not all(np.isfinite(a) and np.isfinite(b) and b > a for a, b in pairs):
            raise PlanError(
                f"normalisation low {self.low}, high {self.high}",
                "finite numbers with low below high for each channel",
            )

    def to_model(self, pixels: NDArray[Any], channels: tuple[int, ...] | None = None) -> NDArray[np.float32]:
        """Map (C, H, W) of any real dtype to float32 model range.

        Non-finite values become 0, the dark end. `channels` says which of the
        layer's channels `pixels` holds; None is all of them, in order.
        """
        low, high = self._columns(channels, pixels.ndim)
        out = ((pixels.astype(np.float64) - low) / (high - low)).astype(np.float32)
        return np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)

    def from_model(self, values: NDArray[np.float32], channels: tuple[int, ...] | None = None) -> NDArray[np.float64]:
        """Inverse of :meth:`to_model`, in float64; the sink casts."""
        low, high = self._columns(channels, values.ndim)
        return np.asarray(values.astype(np.float64) * (high - low) + low)

    def _columns(self, channels: tuple[int, ...] | None, ndim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        picked = range(len(self.low)) if channels is None else channels
        shape = (-1, *(1,) * (ndim - 1))
        low = np.array([self.low[c] for c in picked], np.float64).reshape(shape)
        high = np.array([self.high[c] for c in picked], np.float64).reshape(shape)
        return low, high

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = asdict(self)
        return {**data, "low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        return cls(**{**data, "low": tuple(data["low"]), "high": tuple(data["high"])})


def cast_to(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Cast float64 layer intensities to the target's dtype.

    Integers are rounded half to even and held at the ends of their range,
    since wrapping around would turn the brightest px into the darkest.
    """
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.clip(np.rint(values), info.min, info.max).astype(dtype)
    return values.astype(dtype)
