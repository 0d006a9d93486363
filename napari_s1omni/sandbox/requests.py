"""Requests of a cell, from claims in a frame to plain values; what is wrong is said in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.sandbox.frames import REGION_KEYS, number, whole
from napari_s1omni.sandbox.inside.wire import PAYLOAD_LIMIT
from napari_s1omni.sandbox.kernel import Broker, Picture, RegionRequest, RequestRefused, ViewRequest

_LONGEST = 200


def region_request(said: dict[str, Any]) -> RegionRequest:
    """Return a request for numbers.

    Raises
    ------
    RequestRefused
        If one is no whole number.
    """
    return RegionRequest(**{key: _whole("region", key, said[key]) for key in REGION_KEYS})


def view_request(said: dict[str, Any]) -> ViewRequest:
    """Return a request for a picture.

    Raises
    ------
    RequestRefused
        If a value has a wrong type.
    """
    of = said["of"]
    if of is not None and (type(of) is not str or len(of) > _LONGEST):
        raise RequestRefused("view(): 'of' is the name of a picture that was shown")
    channels = said["channels"]
    if channels is not None:
        if type(channels) is not list or not 1 <= len(channels) <= 64:
            raise RequestRefused("view(): 'channels' are one or more whole numbers")
        channels = tuple(_whole("view", "channels", channel) for channel in channels)
    return ViewRequest(
        box=_several("box", said["box"], 4, whole),
        rel=_several("rel", said["rel"], 4, number),
        of=of,
        channels=channels,
        contrast=_several("contrast", said["contrast"], 2, number),
        size=_whole("view", "size", said["size"]),
        **{key: None if said[key] is None else _whole("view", key, said[key]) for key in ("level", "z", "t")},
    )


def answer(said: dict[str, Any], broker: Broker) -> tuple[dict[str, Any], memoryview]:
    """Ask the broker, and return the frame of its answer or refusal."""
    nothing: dict[str, Any] = {"kind": "reply", "error": ""}
    try:
        if said["request"] == "region":
            numbers = np.ascontiguousarray(broker.region(region_request(said)))
            if numbers.dtype.kind not in "biuf" or numbers.nbytes > PAYLOAD_LIMIT:
                raise RequestRefused(
                    f"region() gives numbers of at most {PAYLOAD_LIMIT // 2**20} MiB, not {numbers.dtype} of "
                    f"{numbers.nbytes / 2**20:.0f} MiB; ask for a smaller part or a coarser level"
                )
            header = {**nothing, "dtype": numbers.dtype.str, "shape": list(numbers.shape)}
            return header, memoryview(numbers.data).cast("B") if numbers.size else memoryview(b"")
        return picture_frame("reply", broker.view(view_request(said)))
    except RequestRefused as refusal:
        return {"kind": "reply", "error": str(refusal)[:2000] or "refused"}, memoryview(b"")


def picture_frame(kind: str, picture: Picture) -> tuple[dict[str, Any], memoryview]:
    """Return the frame that brings a picture to the code."""
    pixels = np.ascontiguousarray(picture.pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"a picture is uint8, (y, x, 3), not {pixels.dtype} of shape {pixels.shape}")
    header = {
        **{"kind": kind, "error": "", "shape": list(pixels.shape), "name": picture.name[:_LONGEST]},
        **{"caption": picture.caption[:2000], "box": list(picture.box) if picture.box else None},
        "level": picture.level,
    }
    return header, memoryview(pixels.data).cast("B")


def _whole(request: str, key: str, value: Any) -> int:
    if not whole(value):
        raise RequestRefused(f"{request}(): {key} is a whole number, not {str(value)[:40]!r}")
    return int(value)


def _several(key: str, value: Any, count: int, check: Any) -> Any:
    if value is None:
        return None
    if type(value) is not list or len(value) != count or not all(check(v) for v in value):
        kind = "whole numbers" if check is whole else "finite numbers"
        raise RequestRefused(f"view(): {key} is {count} {kind}")
    return tuple(value)
