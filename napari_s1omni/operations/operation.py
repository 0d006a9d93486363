"""Base of all operations: the steps between a layer's pixels and an engine's tiles."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_s1omni.core.document import Document
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import DIVISION, Division, Encoding, EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import OperationRefused, PlanError
from napari_s1omni.operations.channels import channel_index
from napari_s1omni.operations.pixel_size import pixel_um
from napari_s1omni.operations.understanding import Doubt, Understanding

Edges = tuple[bool, bool, bool, bool]
"""Which sides (top, bottom, left, right) of a block are the layer's own border."""


@dataclass(frozen=True, slots=True)
class FinishContext:
    """What :meth:`Operation.finish` must know about a block besides its fields."""

    normalization: Normalization
    """Of the source layer."""
    channels: tuple[int, ...]
    """Source channels of the block's group."""
    target: LayerSpec
    """Result of :meth:`Operation.output_spec`."""
    edges: Edges = (True, True, True, True)
    """Which sides of the fields are the layer's own border."""
    division: Division = DIVISION
    """How the engine's objects are separated."""
    mark: str | None = None
    """What the engine was asked to paint over each object, if it draws masks as an overlay."""


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """The result of one block, in the target's intensities or labels."""

    pixels: NDArray[Any]
    """(C, D, H, W) in the target's dtype; C is 1 for labels."""
    confidence: NDArray[np.float32] | None
    """(D, H, W), 0 (undecided) to 1 (certain); None if the operation has no confidence."""


class Operation(Document, abc.ABC):
    """Base of the three operations. Frozen; the field ``type`` says which one it is.

    An operation never sees an engine, only its description. Its steps for each
    tile are :meth:`to_model` (layer pixels to model range), the engine, and
    :meth:`decode` (generated tile to fields that can be blended); for each
    block, :meth:`finish` turns the joined fields into the target's pixels.
    """

    type: str
    """Name of the operation."""

    prompt: str = Field("", max_length=4000)
    """What to do, in your own words."""

    channels: tuple[int | str, ...] | None = Field(None, min_length=1, max_length=3)
    """Source channels that the engine sees, by index or name, at most three. Left out: all three of a colour
    picture, otherwise those that fit the operation."""

    def zoom(self) -> tuple[int, int]:
        """Target px per source px, (y, x)."""
        return (1, 1)

    def halo(self, spec: LayerSpec) -> int:
        """Source pixels beyond a block that :meth:`finish` needs."""
        return 0

    def halo_z(self, spec: LayerSpec) -> int:
        """Planes beyond a block that :meth:`finish` needs."""
        return 0

    def depth(self, spec: LayerSpec) -> int:
        """Default number of z planes per block."""
        return 1

    def channel_groups(self, spec: LayerSpec) -> tuple[tuple[int, ...], ...]:
        """Source channels that are read together, in groups of 1 to 3.

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

    def notes(self, spec: LayerSpec) -> list[str]:
        """Return sentences for the plan on how the operation understands its settings for a source."""
        return []

    def stack_notes(self, spec: LayerSpec, *, masked: bool = False) -> list[str]:
        """Return sentences for the plan on what becomes of objects that are linked along z; none without linking.

        Parameters
        ----------
        spec : LayerSpec
            The part of the source that is run.
        masked : bool
            Whether a mask says which pixels of it are run.
        """
        return []

    def understanding(self, spec: LayerSpec, description: EngineDescription) -> Understanding:
        """Return what an engine understands of the prompt.

        Raises
        ------
        JobError
            If the prompt asks for nothing.
        """
        words = description.vocabulary
        unread = words is not None and self.type in words.ignores
        if not unread or self.prompt.strip() in ("", type(self).model_fields["prompt"].default):
            return Understanding()
        why = f"Engine '{description.name}' reads no words for {self.type}: the prompt changes nothing."
        return Understanding(doubts=(Doubt("The prompt changes nothing with this engine.", why),))

    def to_model(
        self, pixels: NDArray[Any], normalization: Normalization, channels: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Convert pixels of one channel group to model range.

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

    def unknown_result(self, unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which pixels have no result, from those whose source is NaN or infinite.

        Parameters
        ----------
        unknown : bool (C, h, w)
            Per channel of the group.

        Returns
        -------
        bool (1 or C, h, w)
            By default a pixel has no result if any channel is unknown there.
        """
        return np.asarray(unknown.any(axis=0, keepdims=True))

    def decode(
        self, drawn: NDArray[np.float32], source: NDArray[np.float32], encoding: Encoding, mark: str | None = None
    ) -> NDArray[np.float32]:
        """Turn a generated tile into three fields that can be blended linearly with those of its neighbours.

        Parameters
        ----------
        drawn : float32 (3, H, W)
            The engine's output.
        source : float32 (3, h, w)
            The engine's input, model range.
        encoding : {"fields", "overlay"}
            How the engine encodes a mask; an image is not decoded.
        mark : str, optional
            What it was asked to paint over each object, if the encoding is ``overlay``.

        Returns
        -------
        float32 (3, H, W)
        """
        return np.asarray(drawn, np.float32)

    @abc.abstractmethod
    def finish(self, fields: NDArray[np.float32], context: FinishContext) -> FinishedBlock:
        """Turn the joined fields of a block, with its halo, into the target's pixels.

        Parameters
        ----------
        fields : float32 (3, D, H, W)
            From :meth:`decode`, joined.
        context : FinishContext
            The block's place and scales.
        """

    def check_intensities(self, spec: LayerSpec, mask: bool = False) -> None:
        """Refuse labels and masks, whose numbers are no intensities.

        Raises
        ------
        PlanError
            If the layer holds labels, or `mask` says that it looks like a mask or labels.
        """
        if mask or spec.kind == "labels":
            raise PlanError(
                f"{spec.source or 'the layer'} holds {'a mask or labels' if mask else 'labels'}, not intensities",
                f"the operation {self.type} reads intensities, since a number between two labels has no meaning",
                "choose the image from which they were made; to enlarge labels or a mask, repeat the pixels, for "
                "example with scipy.ndimage.zoom(labels, 2, order=0); convert intensities to float32",
            )

    def _check_supported(self, description: EngineDescription) -> None:
        if self.type not in description.operations:
            raise OperationRefused(
                f"engine '{description.name}' does not do {self.type}",
                f"it does {', '.join(description.operations)}",
                "choose another engine; 's1omni engines' lists them",
                operation=self.type,
                engine=description.name,
            )
