"""Masks that an engine paints over its source: what it is asked to paint, and how that is read.

Half-transparent red over grey g in 0..1 was measured as R = 0.67 g + 0.33, G = B = 0.49 g + 0.10. Red alone does not
say where one object ends and the next begins: of true masks of nuclei that were painted so, up to a third of the
objects were lost when read again (``s1omni bench overlay``). So a line of a second colour is asked for between objects
that touch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.description import Division

FILL = "fill every object with translucent red (half transparent, R 255 G 0 B 0); leave everything else as it is"
"""The mark that earlier versions asked for; results that were begun with it keep it."""
FILL_AND_LINE = (
    "fill every object with translucent red (half transparent, R 255 G 0 B 0); where objects touch, draw a line of "
    "translucent green (half transparent, R 0 G 255 B 0), 2 px wide, between them; leave everything else as it is"
)
"""The mark that is asked for."""
MARK_THRESHOLD = 0.12
"""Gain in redness, or greenness, over the source at which a pixel is foreground: half of the weakest. It is 0.23 over
black and 0.41 over white."""
LINE_DIVISION = Division(distance=0.75, rise=0.3)
"""How objects are separated that have lines between them: the drawn distance counts more, and dips deeply at a line."""
LINE_FRAGMENT = 0.0
"""Objects with lines between them are never merged, however small one is."""

_LEAST_LINE = 0.005
"""Share of the foreground that lines take at least; with fewer, an engine drew none, and shapes alone separate."""
_NEAR = 5
"""Edge in px of the square in which the strongest gain stands for the colour that was laid."""
_STRONG = 0.8
"""Share of that gain from which a pixel is certainly foreground."""
_SMOOTH = 0.7
"""Sigma in px of the Gaussian filter before a line is looked for, against noise."""


def overlay_to_fields(
    generated: NDArray[np.float32], source: NDArray[np.float32], mark: str | None = None
) -> NDArray[np.float32]:
    """Convert what an engine painted over `source` to fields.

    Redness is R - max(G, B), greenness G - max(R, B). Foreground follows their gain over those of the source, so that
    red in the source itself is no object: it rises linearly from 0 (no gain) over 0.5 (gain :data:`MARK_THRESHOLD`) to
    1. With lines, the gain that counts as 1 is that of the colour nearby, if it is more; and where red and green mix,
    min(R, G) - B gains instead.

    Parameters
    ----------
    generated, source : float32 (3, H, W), model range
        Same size; `source` is clipped to 0..1, as such an engine sees it.
    mark : str, optional
        What was asked for, :data:`FILL_AND_LINE`; by default :data:`FILL`.

    Returns
    -------
    float32 (3, H, W)
        Foreground; the interior, which is the foreground without lines; and the distance to the border of the
        interior, divided by its maximum in each connected part.
    """
    shown = np.clip(source, 0, 1)
    if mark != FILL_AND_LINE:
        foreground = _certainty(_excess(generated, 0) - _excess(shown, 0))
        return np.stack([foreground, foreground, normalised_depth(foreground >= 0.5)])
    generated, shown = (ndi.gaussian_filter(image, (0, _SMOOTH, _SMOOTH)) for image in (generated, shown))
    red, green = (_excess(generated, channel) - _excess(shown, channel) for channel in (0, 1))
    mixed = _yellowness(generated) - _yellowness(shown)
    gain = np.maximum(np.maximum(red, green), mixed)
    # A border lies where the colour is 0.4 times as strong as inside, whatever it is laid over.
    inside = _STRONG * ndi.maximum_filter(gain, _NEAR)
    foreground = np.clip(gain / np.maximum(2 * MARK_THRESHOLD, inside), 0, 1).astype(np.float32)
    interior = np.where(red > green, foreground, 0)
    return np.stack([foreground, interior, normalised_depth(interior >= 0.5)])


def has_lines(fields: NDArray[np.float32]) -> bool:
    """Whether lines were drawn in a plane of fields (3, H, W); an engine may leave them out."""
    foreground = fields[0] >= 0.5
    lines = int(np.count_nonzero(foreground & (fields[1] < 0.5)))
    return lines > _LEAST_LINE * int(np.count_nonzero(foreground))


def normalised_depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the border, divided by its maximum in each connected part: 0 to 1."""
    depth = ndi.distance_transform_edt(mask)
    parts, n = ndi.label(mask)
    if n == 0:
        return np.zeros(mask.shape, np.float32)
    largest = np.asarray(ndi.maximum(depth, parts, np.arange(n + 1)))
    largest[0] = 1
    return np.asarray(depth / largest[parts], np.float32)


def _certainty(gain: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip(gain / (2 * MARK_THRESHOLD), 0, 1), np.float32)


def _excess(image: NDArray[np.float32], channel: int) -> NDArray[np.float32]:
    """By how much one channel exceeds the larger of the other two."""
    first, second = (image[other] for other in range(3) if other != channel)
    return np.asarray(image[channel] - np.maximum(first, second))


def _yellowness(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.minimum(image[0], image[1]) - image[2])
