"""Channels of a layer: chosen by index or name, and merged to grey."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError


def channel_labels(spec: LayerSpec) -> tuple[str, ...]:
    """Return one label per channel, each different from all others; a name that several have gets their indices.

    Channels called ``DAPI``, ``CD3`` and ``DAPI`` are labelled ``DAPI-0``, ``CD3`` and ``DAPI-2``. A channel without
    a name is labelled by its index.
    """
    names = [name.strip() for name in spec.channel_names] or [""] * spec.size("c")
    folded = [_folded(name) for name in names]
    # Single names first, so that no other channel takes them.
    labels = {c: name for c, name in enumerate(names) if name and folded.count(folded[c]) == 1}
    for c, name in enumerate(names):
        if c not in labels:
            label = f"{name}-{c}" if name else str(c)
            taken = {*folded, *map(_folded, labels.values())}
            while _folded(label) in taken:
                label = f"{label}-{c}"
            labels[c] = label
    return tuple(labels[c] for c in range(len(names)))


def _folded(name: str) -> str:
    # Files and keyboards write one letter in several ways: a composed umlaut or two characters, two signs for micro.
    return unicodedata.normalize("NFKC", name).casefold()


def channel_index(channel: int | str, spec: LayerSpec) -> int:
    """Return the index of a channel given by index, name or label (:func:`channel_labels`).

    Raises
    ------
    PlanError
        If the layer has no such channel, or several of this name.
    """
    count, labels = spec.size("c"), channel_labels(spec)
    names = [name.strip() for name in spec.channel_names]
    if isinstance(channel, str):
        wanted = channel.strip()
        for known in (names, labels if names else ()):
            found = [c for c, name in enumerate(known) if name == wanted]
            found = found or [c for c, name in enumerate(known) if _folded(name) == _folded(wanted)]
            if wanted and len(found) == 1:
                return found[0]
            if wanted and found:
                raise PlanError(
                    f"channel {channel!r} of {spec.source or 'the layer'} is the name of {len(found)} channels",
                    f"their indices are {', '.join(map(str, found))}",
                    "choose one by its index",
                    channel=channel,
                )
    if isinstance(channel, str) and channel.strip().isdecimal():
        channel = int(channel)
    if isinstance(channel, int) and 0 <= channel < count:
        return channel
    known_names = [label for label, name in zip(labels, names, strict=False) if name]
    said = f"0 to {count - 1}" + (f" or {', '.join(known_names)}" if known_names else "")
    raise PlanError(
        f"channel {channel!r} of {spec.source or 'the layer'}",
        f"channels are {said}",
        did_you_mean(str(channel), list(known_names)).strip() or "choose one of these",
        channel=channel,
    )


def read_channels(text: str) -> list[int | str]:
    """Read channels with commas between them: numbers are indices, all else names.

    A name that holds a comma, or only digits, stands in double quotes.

    Examples
    --------
    >>> read_channels('0, DAPI, "CD3, 405 nm"')
    [0, 'DAPI', 'CD3, 405 nm']
    """
    found: list[int | str] = []
    for quoted, plain in re.findall(r'\s*(?:"([^"]*)"|([^,]*))\s*(?:,|$)', text.strip()):
        word = plain.strip()
        if quoted or word:
            found.append(quoted or (int(word) if word.isdecimal() else word))
    return found


def grey(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of three channels, (1, ...); exactly the channel if all three are equal."""
    first, second, third = fields
    return np.asarray(first + ((second - first) + (third - first)) / 3, np.float32)[None]
