"""Normalization: layer intensities to model range and back. Affine, without clipping, the same for a whole job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import PlanError


@dataclass(frozen=True, slots=True)
class Normalization:
    """For each channel, the layer intensities that become 0 and 1 in model range.

    Values outside are not clipped. It is estimated from the whole layer before
    the plan is made (:func:`napari_s1omni.storage.normalization_estimate.estimate_normalization`),
    never from a tile, so that neighbouring tiles agree.
    """

    low: tuple[float, ...]
    """Layer intensity of model value 0, per channel."""
    high: tuple[float, ...]
    """Layer intensity of model value 1, per channel."""
    nonfinite: int = 0
    """Number of NaN and infinite pixels among those measured; they count as background."""
    sampled: float = 1.0
    """Share of the layer's pixels that was measured."""
    note: str = ""
    """How the two intensities were estimated."""
    ground: tuple[float, ...] | None = None
    """Layer intensity that replaces NaN and infinite pixels, per channel; None if the layer has none of them."""

    def __post_init__(self) -> None:
        pairs = list(zip(self.low, self.high, strict=True))
        if not pairs or not all(np.isfinite(a) and np.isfinite(b) and b > a for a, b in pairs):
            raise PlanError(
                f"normalisation low {self.low}, high {self.high}",
                "finite numbers with low below high for each channel",
            )
        if self.ground is not None and not (len(self.ground) == len(pairs) and np.isfinite(self.ground).all()):
            raise PlanError(f"normalisation ground {self.ground}", "a finite number for each channel")

    def to_model(self, pixels: NDArray[Any], channels: tuple[int, ...] | None = None) -> NDArray[np.float32]:
        """Convert (C, H, W) of any real dtype to float32 model range.

        Non-finite values become :attr:`ground`, or the dark end if there is
        none. `channels` are the layer's channels in `pixels`; None is all of
        them, in order.
        """
        low, high, ground = self._columns(channels, pixels.ndim)
        out = ((pixels.astype(np.float64) - low) / (high - low)).astype(np.float32)
        if pixels.dtype.kind == "f" and not (finite := np.isfinite(out)).all():
            out = np.where(finite, out, ((ground - low) / (high - low)).astype(np.float32))
        return out

    def from_model(self, values: NDArray[np.float32], channels: tuple[int, ...] | None = None) -> NDArray[np.float64]:
        """Inverse of :meth:`to_model`, in float64; the sink casts."""
        low, high, _ = self._columns(channels, values.ndim)
        return np.asarray(values.astype(np.float64) * (high - low) + low)

    def _columns(self, channels: tuple[int, ...] | None, ndim: int) -> tuple[NDArray[np.float64], ...]:
        """Low, high and ground of some channels, shaped to broadcast against pixels."""
        picked = list(range(len(self.low)) if channels is None else channels)
        shape = (-1, *(1,) * (ndim - 1))
        values = (self.low, self.high, self.low if self.ground is None else self.ground)
        return tuple(np.array(v, np.float64)[picked].reshape(shape) for v in values)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; ``ground`` only if it is set."""
        data = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        if self.ground is None:
            del data["ground"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        return cls(**values)


def cast_to(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Cast float64 layer intensities to the target's dtype.

    Integers are rounded half to even and clipped to their range: wrapping
    around would turn the brightest pixels into the darkest.
    """
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.clip(np.rint(values), info.min, info.max).astype(dtype)
    return values.astype(dtype)
