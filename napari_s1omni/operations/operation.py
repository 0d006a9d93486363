"""Operation: what to make of a layer; the steps between layer px and engine tiles."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_s1omni.core.document import Document, nearest
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sizes import read_size
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import DIVISION, Division, Encoding, EngineDescription
from napari_s1omni.engine.instruction import UM, Instruction, size_hint
from napari_s1omni.errors import OperationRefused, PlanError

Edges = tuple[bool, bool, bool, bool]
"""Which sides (top, bottom, left, right) of a piece are the layer's own border."""


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """The result of one block, in the target's own numbers."""

    pixels: NDArray[Any]
    """(C, D, H, W) in the target's dtype; C is 1 for labels."""
    confidence: NDArray[np.float32] | None
    """(D, H, W), 0 (undecided) to 1 (sure); None where the operation has none."""


class Operation(Document, abc.ABC):
    """Base of the three operations. Frozen; the field ``type`` tells them apart.

    An operation never sees an engine, only what can be known of it. Its steps
    for each tile are :meth:`to_model` (layer px to model range), the engine,
    and :meth:`decode` (drawn tile to fields that may be blended); for each
    block, :meth:`finish` turns the joined fields into the target's px.
    """

    type: str
    """Name of the operation."""

    prompt: str = Field("", max_length=4000)
    """What to do, in your own words."""

    channels: tuple[int | str, ...] | None = Field(None, min_length=1, max_length=3)
    """Channels of the source to show to the engine, by index or name, at most three. None chooses:
    all three of a colour picture, otherwise what fits the operation."""

    def zoom(self) -> tuple[int, int]:
        """Target px per source px, (y, x)."""
        return (1, 1)

    def halo(self, spec: LayerSpec) -> int:
        """Source px beyond a block that :meth:`finish` must see."""
        return 0

    def halo_z(self, spec: LayerSpec) -> int:
        """Planes beyond a block that :meth:`finish` must see."""
        return 0

    def depth(self, spec: LayerSpec) -> int:
        """Planes of a block where nothing else is wished."""
        return 1

    def channel_groups(self, spec: LayerSpec) -> tuple[tuple[int, ...], ...]:
        """Channels of the source that are read together, each group of 1 to 3.

        Raises
        ------
        PlanError
            If a channel does not exist.
        """
        if self.channels is not None:
            return (tuple(channel_index(c, spec) for c in self.channels),)
        return ((0, 1, 2),) if spec.rgb else ((0,),)

    @abc.abstractmethod
    def output_spec(self, spec: LayerSpec, description: EngineDescription) -> LayerSpec:
        """Describe the result for a source and an engine.

        Raises
        ------
        PlanError
            If job and image do not fit together.
        OperationRefused
            If this engine does not do this operation.
        """

    def instruction(self, spec: LayerSpec, tile_size: int, encoding: Encoding = "fields") -> Instruction:
        """Return the instruction that goes to the engine with each tile.

        Parameters
        ----------
        spec : LayerSpec
            The source.
        tile_size : int
            Edge of a tile in source px.
        encoding : {"fields", "overlay"}
            How the engine draws a mask, from its description.
        """
        return Instruction(
            task=self.type,
            request=self.prompt,
            tile=(tile_size, tile_size),
            pixel=pixel_um(spec),
            factor=self.zoom(),
        )

    def to_model(
        self, pixels: NDArray[Any], normalization: Normalization, channels: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Bring px of one channel group to what an engine takes.

        Parameters
        ----------
        pixels : (C, h, w), any real dtype
            C is 1, 2 or 3. One channel is shown as grey; of two, the third is dark.
        normalization : Normalization
        channels : tuple of C int
            Which of the layer's channels these are.

        Returns
        -------
        float32 (3, h, w), model range, not clipped
        """
        scaled = normalization.to_model(pixels, channels)
        if len(scaled) == 1:
            return np.repeat(scaled, 3, axis=0)
        if len(scaled) == 2:
            return np.concatenate([scaled, np.zeros_like(scaled[:1])])
        return scaled

    def decode(
        self, drawn: NDArray[np.float32], source: NDArray[np.float32], encoding: Encoding
    ) -> NDArray[np.float32]:
        """Turn a drawn tile into three fields that may be blended linearly with its neighbours'.

        Parameters
        ----------
        drawn : float32 (3, H, W)
            What the engine drew.
        source : float32 (3, h, w)
            What it was shown, model range.
        encoding : {"fields", "overlay"}
            How the engine draws a mask; images are themselves.

        Returns
        -------
        float32 (3, H, W)
        """
        return np.asarray(drawn, np.float32)

    @abc.abstractmethod
    def finish(
        self,
        fields: NDArray[np.float32],
        normalization: Normalization,
        channels: tuple[int, ...],
        target: LayerSpec,
        edges: Edges = (True, True, True, True),
        division: Division = DIVISION,
    ) -> FinishedBlock:
        """Turn the joined fields of a block, with its halo, into the target's px.

        Parameters
        ----------
        fields : float32 (3, D, H, W)
            From :meth:`decode`, joined.
        normalization : Normalization
            Of the source layer.
        channels : tuple of int
            The source channels of this group.
        target : LayerSpec
            What :meth:`output_spec` gave.
        edges : 4 bool
            Which sides (top, bottom, left, right) of `fields` are the layer's own border.
        division : Division
            How the engine's objects are told apart.
        """

    def _must_be_done_by(self, description: EngineDescription, hint: str = "") -> None:
        if self.type not in description.operations:
            raise OperationRefused(
                f"engine '{description.name}' does not do {self.type}",
                f"it does {', '.join(description.operations)}",
                hint or "choose another engine; 's1omni engines' lists them",
                operation=self.type,
                engine=description.name,
            )


def grey(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of three channels, (1, ...); exactly the channel where all three are equal."""
    first, second, third = fields
    return np.asarray(first + ((second - first) + (third - first)) / 3, np.float32)[None]


def channel_index(channel: int | str, spec: LayerSpec) -> int:
    """Return the index of a channel given by index or name.

    Raises
    ------
    PlanError
        If the layer has no such channel.
    """
    count = spec.size("c")
    names = list(spec.channel_names)
    if isinstance(channel, str) and channel not in names and channel.isdecimal():
        channel = int(channel)
    if isinstance(channel, str):
        folded = [name.casefold() for name in names]
        if channel.casefold() in folded:
            return folded.index(channel.casefold())
    elif 0 <= channel < count:
        return channel
    known = f"0 to {count - 1}" + (f" or {', '.join(names)}" if names else "")
    raise PlanError(
        f"channel {channel!r} of {spec.source or 'the layer'}",
        f"channels are {known}",
        nearest(str(channel), names).strip() or "choose one of these",
        channel=channel,
    )


def pixel_um(spec: LayerSpec) -> float | None:
    """Edge of a px in um (the mean of y and x), or None where the unit is not a length."""
    units = [UM.get((spec.unit_of(a) or "").lower()) for a in "yx"]
    if any(u is None for u in units):
        return None
    return sum(spec.scale_of(a) * (u or 0.0) for a, u in zip("yx", units, strict=True)) / 2


def in_px(value: int | str, spec: LayerSpec, name: str, power: int = 1) -> float:
    """Return a size in px of `spec`.

    Parameters
    ----------
    value : int or str
        As :func:`napari_s1omni.core.sizes.read_size` takes it.
    spec : LayerSpec
    name : str
        What it is the size of, for the message.
    power : int
        1 for a length, 2 for an area in a plane.

    Raises
    ------
    PlanError
        If it has a unit and the layer's px have none, or the unit is unknown.
    """
    number, unit = read_size(value, power)
    if unit == "px":
        return number
    edge = pixel_um(spec)
    if unit.lower() not in UM or edge is None:
        raise PlanError(
            f"{name} {value!r} for {spec.source or 'the layer'}, whose px "
            + (f"measure {edge:g} um" if edge else "have no unit of length"),
            "px, nm, um or mm" if edge else "px",
            "use px" if edge else "use px, or say the px size with scale and units",
        )
    sides = [spec.scale_of(a) * UM[(spec.unit_of(a) or "").lower()] for a in "yx"]
    return number * UM[unit.lower()] ** power / (edge if power == 1 else sides[0] * sides[1])


def object_size(prompt: str, spec: LayerSpec) -> float | None:
    """Object diameter that `prompt` speaks of, in px of `spec`, or None."""
    return size_hint(prompt, pixel_um(spec))
