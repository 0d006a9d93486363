"""Transparent pixels of a picture, which are read as background."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BRIGHTFIELD = 0.35
"""Share of the range above which the median of a picture means transmitted light, whose background is white."""
_PERCENTILES = (0.1, 99.9)
_EXTREME = 0.005
"""Share of the pixels that are taken for the brightest, the glass of a slide, or for the darkest."""
_MEASURED = 2**20
"""About how many pixels are measured at most."""
_BLENDED = 2**22
"""About how many values are blended at a time."""
_TWO_VALUED = 0.5
"""Least share of pixels that are wholly transparent or opaque; below it, a sample holds something else."""


@dataclass(frozen=True, slots=True)
class Transparency:
    """How the transparency of a picture is read."""

    opaque: float
    """Value of an opaque pixel."""
    fill: tuple[float, ...]
    """Colour of the background behind the picture."""

    def hides(self, alpha: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which pixels are more transparent than opaque."""
        return np.asarray(~(alpha > self.opaque / 2))

    def blend(self, pixels: NDArray[Any], alpha: NDArray[Any], channel: int | None, colours: slice) -> NDArray[Any]:
        """Put the background behind the pixels that are not opaque; the others stay as they are.

        Parameters
        ----------
        pixels : array
            Colours or grey.
        alpha : array
            Transparency, with the axes of `pixels` without that of the colours.
        channel : int or None
            Axis of the colours; None for grey.
        colours : slice
            Which of them `pixels` holds.
        """
        fill = np.asarray(self.fill[colours]).reshape([-1 if d == channel else 1 for d in range(pixels.ndim)])
        alpha = alpha if channel is None else np.expand_dims(alpha, channel)
        if (alpha >= self.opaque).all():
            return pixels
        out = pixels.copy()
        longest = max((d for d in range(out.ndim) if d != channel), key=lambda d: out.shape[d])
        # In pieces, since blending needs several times the memory of its pixels.
        step = max(1, _BLENDED * out.shape[longest] // out.size)
        for start in range(0, out.shape[longest], step):
            piece = (*[slice(None)] * longest, slice(start, start + step))
            self._blend_piece(out[piece], alpha[piece], fill)
        return out

    def _blend_piece(self, pixels: NDArray[Any], alpha: NDArray[Any], fill: NDArray[Any]) -> None:
        """Blend in place."""
        covered = np.broadcast_to(~(alpha >= self.opaque), pixels.shape)
        share = np.clip(np.nan_to_num(alpha.astype(np.float64)), 0, self.opaque) / self.opaque
        share, fill = (np.broadcast_to(a, pixels.shape)[covered] for a in (share, fill))
        shown = pixels[covered].astype(np.float64)
        # What a wholly transparent pixel holds may be NaN.
        mixed = np.where(share == 0, fill, fill + share * (shown - fill))
        pixels[covered] = np.rint(mixed) if pixels.dtype.kind in "iu" else mixed


def measure_transparency(
    parts: Iterable[tuple[NDArray[Any], NDArray[Any]]], whole: bool
) -> tuple[Transparency | None, str]:
    """Find out whether the last sample of a picture is its transparency, and which background fits.

    Parameters
    ----------
    parts : iterable of (colours, alpha)
        Colours (C, ...) and transparency (...) of boxes of the picture.
    whole : bool
        Whether the boxes are all of it.

    Returns
    -------
    Transparency or None
        None if every pixel is opaque, or if the sample is no transparency.
    str
        A note that says what is done with it.
    """
    colours, alphas = [], []
    for pixels, alpha in parts:
        step = max(1, alpha.size // _MEASURED) if not whole else 1
        alphas.append(alpha.ravel()[::step])
        colours.append(pixels.reshape(len(pixels), -1)[:, ::step])
    alpha = np.nan_to_num(np.concatenate(alphas), nan=0)
    opaque = float(alpha.max())
    if opaque <= 0:
        return None, "the alpha channel is 0 wherever it was read, so it is no transparency and is left out"
    full = alpha >= opaque
    if whole and full.all():
        return None, "the alpha channel is left out; every pixel is opaque"
    if (full | (alpha <= 0)).mean() < _TWO_VALUED:
        return None, (
            "the alpha channel varies like an intensity, not like transparency, and is left out; "
            "give axes='yxc' if it is a fourth channel"
        )
    hidden = float((alpha <= opaque / 2).mean())
    visible = np.concatenate(colours, axis=1)[:, alpha > opaque / 2]
    fill, word = _background(visible[:, :: max(1, visible.shape[1] // _MEASURED)])
    if not hidden:
        note = f"transparent pixels, if there are any, are read as {word}"
    else:
        note = f"{hidden:.1%} of the pixels are transparent and are read as {word}"
    return Transparency(opaque, fill), f"{note}; the alpha channel itself is left out"


def _background(visible: NDArray[Any]) -> tuple[tuple[float, ...], str]:
    """Return the colour of the background of visible pixels (C, n), and words for it."""
    whole = visible.dtype.kind in "iu"
    values = visible.astype(np.float64)
    values = values[:, np.isfinite(values).all(axis=0)]
    if not values.size:
        return (0.0,) * len(visible), "black background"
    brightness = values.mean(axis=0)
    if len(values) == 1:
        found, word = [np.median(brightness)], "background, the median"
    else:
        low, high = (0.0, 255.0) if visible.dtype == np.uint8 else np.percentile(values, _PERCENTILES)
        # Glass is seldom pure white, and black seldom 0: their own colour leaves no edge to the picture.
        if np.median(brightness) > low + _BRIGHTFIELD * (high - low):
            chosen, word = brightness >= np.quantile(brightness, 1 - _EXTREME), "background, the brightest colour"
        else:
            chosen, word = brightness <= np.quantile(brightness, _EXTREME), "background, the darkest colour"
        found = list(values[:, chosen].mean(axis=1))
    fill = tuple(float(np.rint(v)) if whole else float(v) for v in found)
    return fill, f"{word} ({', '.join(f'{v:g}' for v in fill)})"
