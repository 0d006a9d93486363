"""Segmentation: which px belong to which object."""

from __future__ import annotations

import math
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sizes import read_size
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import DIVISION, Division, Encoding, EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import PlanError
from napari_s1omni.joining.stitching import link_planes
from napari_s1omni.operations.instancing import Instancing, label_plane, mark_to_fields
from napari_s1omni.operations.operation import Edges, FinishedBlock, Operation, in_px, object_size

DEFAULT_DIAMETER = 32.0
"""Object diameter in px that is assumed where neither prompt nor `max_size` tells one."""

_DEPTH = 16
"""Planes of a block whose objects are linked."""
_LINK = 0.25
"""Least intersection over union of two objects in neighbouring planes that are linked."""
PIT = 32
"""Holes up to this many px are filled before objects are divided: nucleoli and noise."""

_MARK = "fill every object with translucent red (half transparent, R 255 G 0 B 0); leave everything else as it is"
_STAINS = ("dapi", "hoechst", "nucle", "dna", "h2b", "draq")


class Segmentation(Operation):
    """Find objects. The result is a label layer: 0 is background, each object has its own number."""

    type: Literal["segmentation"] = "segmentation"
    """Name of the operation."""

    prompt: str = Field("segment the nuclei", max_length=4000)
    """What to find, in your own words. Sizes such as ``about 20 px`` or ``10 um`` help."""

    instances: bool = True
    """One number per object; otherwise all objects are 1."""

    min_size: int | str | None = None
    """Smallest object in a plane: its area in px, or such as ``30 um2``; None follows the size in the prompt, or
    12 px."""

    max_size: int | str | None = None
    """Largest object in a plane: its area in px, or such as ``500 um2``; None: no limit."""

    fill_holes: bool = True
    """Fill holes inside one object."""

    drop_border: bool = False
    """Drop objects that touch the layer's own border, in any of their planes."""

    link_z: bool | None = None
    """Link the objects of neighbouring planes that overlap most, into one object in 3D; None does so in every
    stack of instances."""

    z_gap: bool = False
    """Link objects also over one plane in which they are missing."""

    @field_validator("min_size", "max_size")
    @classmethod
    def _area(cls, value: int | str | None) -> int | str | None:
        if value is not None:
            read_size(value, 2)
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_size is not None and self.max_size is not None:
            (least, unit), (most, other) = (read_size(size, 2) for size in (self.min_size, self.max_size))
            if unit == other and least > most:
                raise ValueError(f"min_size {least:g} {unit} is above max_size {most:g} {unit}")
        if self.link_z and not self.instances:
            raise ValueError("link_z links single objects; without instances there are none")
        if self.z_gap and self.link_z is False:
            raise ValueError("z_gap is a way of linking; link_z is off")
        return self

    def halo(self, spec: LayerSpec) -> int:
        """Two object diameters, in source px: an object cut by a block is seen whole by it."""
        diameter = object_size(self.prompt, spec) or DEFAULT_DIAMETER
        if self.max_size is not None:
            diameter = 2 * math.sqrt(in_px(self.max_size, spec, "max_size", 2) / math.pi)
        return min(512, math.ceil(2 * diameter))

    def halo_z(self, spec: LayerSpec) -> int:
        """One plane, over a gap two: what a link depends on, so that both blocks at a face find the same links."""
        return (2 if self.z_gap else 1) if self.links(spec) else 0

    def depth(self, spec: LayerSpec) -> int:
        """Sixteen planes of a stack that is linked: an eighth of them is then run for two blocks."""
        return min(_DEPTH, spec.size("z")) if self.links(spec) else 1

    def links(self, spec: LayerSpec) -> bool:
        """Whether objects of neighbouring planes are linked."""
        return self.instances and self.link_z is not False and spec.size("z") > 1

    def channel_groups(self, spec: LayerSpec) -> tuple[tuple[int, ...], ...]:
        """One group: the chosen channels, a picture's colours, a nuclear stain by its name, or the first."""
        groups = super().channel_groups(spec)
        if self.channels is None and not spec.rgb and "nucle" in self.prompt.casefold():
            for i, name in enumerate(spec.channel_names):
                if any(stain in name.casefold() for stain in _STAINS):
                    return ((i,),)
        return groups

    def output_spec(self, spec: LayerSpec, description: EngineDescription) -> LayerSpec:
        """Same field and grid without channels, uint32 labels."""
        self._must_be_done_by(description)
        if spec.kind == "labels":
            raise PlanError(
                f"{spec.source or 'the layer'} holds labels, not intensities",
                "segmentation reads an image",
                "choose an image layer",
            )
        self.channel_groups(spec)
        # Sizes that cannot be brought to px are refused here, before anything runs.
        self._instancing(spec)
        return spec.without("c").replace(dtype="uint32", kind="labels", source=None, rgb=False, channel_names=())

    def instruction(self, spec: LayerSpec, tile_size: int, encoding: Encoding = "fields") -> Instruction:
        """State how to mark objects too, for an overlay."""
        words = super().instruction(spec, tile_size, encoding)
        return words.replace(mark=_MARK if encoding == "overlay" else None)

    def decode(
        self, drawn: NDArray[np.float32], source: NDArray[np.float32], encoding: Encoding
    ) -> NDArray[np.float32]:
        """Return foreground, interior and distance, each 0 to 1.

        With ``fields`` they are what the engine drew. With ``overlay`` they are
        found from the translucent red it laid over the source, see
        :func:`napari_s1omni.operations.instancing.mark_to_fields`.
        """
        if encoding == "overlay":
            return mark_to_fields(drawn, source)
        return np.clip(drawn, 0, 1)

    def finish(
        self,
        fields: NDArray[np.float32],
        normalization: Normalization,
        channels: tuple[int, ...],
        target: LayerSpec,
        edges: Edges = (True, True, True, True),
        division: Division = DIVISION,
    ) -> FinishedBlock:
        """Number the objects 1 to n, plane by plane, and link them along z; ids mean nothing beyond this block.

        The confidence of a px is its distance from the decision: 0 where
        foreground and background are equally likely, 1 where one is certain.
        """
        rule = self._instancing(target)
        labels = np.zeros(fields.shape[1:], np.uint32)
        last = 0
        for z in range(fields.shape[1]):
            plane = label_plane(fields[:, z], rule, edges, division)
            labels[z] = np.where(plane > 0, plane + np.uint32(last), 0) if self.instances else plane > 0
            last = max(last, int(labels[z].max()))
        if self.links(target):
            labels = link_planes(labels, _LINK, self.z_gap)
        confidence = np.clip(np.abs(2 * fields[0] - 1), 0, 1).astype(np.float32)
        return FinishedBlock(labels[None].astype(target.np_dtype), confidence)

    def _instancing(self, spec: LayerSpec) -> Instancing:
        hint = object_size(self.prompt, spec)
        if self.min_size is not None:
            smallest = round(in_px(self.min_size, spec, "min_size", 2))
        else:
            smallest = 12 if hint is None else max(4, round(0.1 * math.pi * hint**2 / 4))
        largest = None if self.max_size is None else math.ceil(in_px(self.max_size, spec, "max_size", 2))
        diameter = hint or DEFAULT_DIAMETER
        return Instancing(
            min_size=smallest,
            max_size=largest,
            fill_holes=self.fill_holes,
            # Single objects are dropped as a whole, once they are stitched; in one block they may end before it.
            drop_border=self.drop_border and not self.instances,
            largest_pit=PIT,
            largest_hole=round(math.pi * diameter**2 / 4),
        )
