"""Pictures on their way to a model: PNG in a data URL, and what they cost in tokens."""

from __future__ import annotations

import base64
import io
import math

from PIL import Image

from napari_s1omni.endpoint.protocol import Picture, Text, Turn
from napari_s1omni.errors import JobError

_TOKEN_EDGE = 32
"""Edge, in pixels, of what one token shows: patches of 16 px, 2 x 2 merged, as in Qwen3-VL."""
_CHARACTERS = 3.2
"""Characters of text per token, about."""
_TURN_TOKENS = 8
"""Tokens around a turn, about."""


def data_url(picture: Picture) -> str:
    """Return a picture as a data URL of a PNG, which changes no pixel.

    Raises
    ------
    JobError
        If it is not uint8 (height, width, 3), or empty.
    """
    pixels = picture.pixels
    if pixels.dtype != "uint8" or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise JobError(
            f"a picture of {picture.source} has type {pixels.dtype} and shape {pixels.shape}",
            "uint8 (height, width, 3), at least one pixel",
            "render it first",
        )
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def picture_tokens(height: int, width: int) -> int:
    """Return about how many tokens a picture of this size, in pixels, costs."""
    return math.ceil(height / _TOKEN_EDGE) * math.ceil(width / _TOKEN_EDGE) + 2


def text_tokens(text: str) -> int:
    """Return about how many tokens a text costs."""
    return math.ceil(len(text) / _CHARACTERS)


def turn_tokens(turn: Turn) -> int:
    """Return about how many tokens a turn costs; a server counts exactly, see :class:`Usage`."""
    cost = _TURN_TOKENS
    for part in turn.parts:
        cost += text_tokens(part.text) if isinstance(part, Text) else picture_tokens(*part.size)
    return cost
