"""Segmentation: a label image of the objects in an image."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from napari_s1omni.core.requests.reading import find_kind
from napari_s1omni.core.sizes.lengths import UM, length_unit
from napari_s1omni.core.sizes.object_size import size_notes
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import read_size
from napari_s1omni.engine.description import Encoding, EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import PlanError
from napari_s1omni.joining.stitching import KEEP_ALL, StackRule, link_planes
from napari_s1omni.operations.instance_segmentation import InstanceRules, label_plane
from napari_s1omni.operations.operation import FinishContext, FinishedBlock, Operation
from napari_s1omni.operations.overlay import FILL_AND_LINE, LINE_DIVISION, LINE_FRAGMENT, has_lines, overlay_to_fields
from napari_s1omni.operations.pixel_size import object_size, pixel_um, plane_distance, size_in_px
from napari_s1omni.operations.understanding import Understanding, understand

DEFAULT_DIAMETER = 32.0
"""Object diameter in px if neither prompt nor `max_size` gives one."""

_DEPTH = 16
"""Planes per block if objects are linked along z."""
_NEW = ("split_z", "min_planes")
"""Fields that earlier versions lack."""
_LONG = ("fibres", "mitochondria")
"""Kinds of objects that grow narrow and wide again along z."""
_BRANCHED = ("neur", "glia", "astrocyt", "dendrit")
"""Parts of words for cells that do so too, in several languages."""
_LINK = 0.25
"""Minimum intersection over union at which two objects in neighbouring planes are linked."""
SMALL_HOLE = 32
"""Holes up to this size in px are filled before touching objects are split: nucleoli and noise."""

_STAINS = ("dapi", "hoechst", "nucle", "dna", "h2b", "draq")


class Segmentation(Operation):
    """Segment objects into a label layer: 0 is background, each object has its own number."""

    type: Literal["segmentation"] = "segmentation"
    """Name of the operation."""

    prompt: str = Field("segment the nuclei", max_length=4000)
    """Objects to segment, in your own words. A size such as ``about 20 px`` or ``10 um`` helps."""

    instances: bool = True
    """One number per object; without it, every object is 1."""

    min_size: int | str | None = None
    """Smallest object in a plane: an area in pixels, or such as ``30 um2``; left out, it follows the size in the
    prompt, or is 12 px."""

    max_size: int | str | None = None
    """Largest object in a plane: an area in pixels, or such as ``500 um2``; left out, there is no limit."""

    fill_holes: bool = True
    """Fill holes inside objects."""

    drop_border: bool = False
    """Drop objects that touch the border of the layer, in any of their planes."""

    link_z: bool | None = None
    """Link objects that overlap most in neighbouring planes into one object in 3D; left out, they are linked in every
    stack of instances."""

    z_gap: bool = False
    """Also link objects across one plane in which they are missing."""

    split_z: bool | None = None
    """Split a linked object where its planes grow narrow and wide again, as where one nucleus lies above another; left
    out, all are but fibres and other long or branched objects."""

    min_planes: int | None = Field(None, ge=1)
    """Drop linked objects that lie in fewer planes, such as debris, unless the end of the stack cuts them; left out, in
    fewer than 0.4 of those that an object of the size in the prompt spans; 1 keeps all."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what a job does not say, so that results of versions without these fields can be gone on with."""
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if name not in _NEW or value is not None}

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
            factors = [UM.get(length_unit(name) or "") for name in (unit, other)]
            if (unit == other and least > most) or (
                factors[0] and factors[1] and least * factors[0] ** 2 > most * factors[1] ** 2
            ):
                raise ValueError(f"min_size {self.min_size!r} is above max_size {self.max_size!r}")
        if self.link_z and not self.instances:
            raise ValueError("link_z needs instances: it links single objects")
        for name in ("z_gap", "split_z", "min_planes"):
            if getattr(self, name) and self.link_z is False:
                raise ValueError(f"{name} needs link_z")
        return self

    def halo(self, spec: LayerSpec) -> int:
        """Return two object diameters, in source px: a block sees an object at its face whole."""
        diameter = object_size(self.prompt, spec) or DEFAULT_DIAMETER
        if self.max_size is not None:
            diameter = 2 * math.sqrt(size_in_px(self.max_size, spec, "max_size", 2) / math.pi)
        return min(512, math.ceil(2 * diameter))

    def halo_z(self, spec: LayerSpec) -> int:
        """Return 1 plane, with a gap 2: what a link depends on, so that both blocks at a face find the same links."""
        return (2 if self.z_gap else 1) if self.links(spec) else 0

    def depth(self, spec: LayerSpec) -> int:
        """Return 16 planes for a stack with linking; the plan chooses others where they cost less in all."""
        return min(_DEPTH, spec.size("z")) if self.links(spec) else 1

    def links(self, spec: LayerSpec) -> bool:
        """Whether objects of neighbouring planes are linked."""
        return self.instances and self.link_z is not False and spec.size("z") > 1

    def stack_rule(self, spec: LayerSpec, *, masked: bool = False) -> StackRule:
        """Return what becomes of the linked objects of a stack.

        Parameters
        ----------
        spec : LayerSpec
            The part of the source that is run, or the result.
        masked : bool
            Whether a mask says which pixels are run: it may cut objects, so that only `min_planes` drops any.
        """
        if not self.links(spec):
            return KEEP_ALL
        split = self.split_z
        if split is None:
            words = self.prompt.casefold()
            split = find_kind(self.prompt) not in _LONG and not any(word in words for word in _BRANCHED)
        return StackRule(split, None if masked else self._expected_planes(spec), self.min_planes)

    def _expected_planes(self, spec: LayerSpec) -> float | None:
        """Return the planes that an object of the stated size spans; None if its size or the spacing is unknown."""
        diameter, distance = object_size(self.prompt, spec), plane_distance(spec)
        return None if diameter is None or distance is None else diameter / distance

    def channel_groups(self, spec: LayerSpec) -> tuple[tuple[int, ...], ...]:
        """Return one group: the chosen channels, a picture's colours, a nuclear stain by its name, or the first."""
        groups = super().channel_groups(spec)
        if self.channels is None and not spec.rgb and "nucle" in self.prompt.casefold():
            for i, name in enumerate(spec.channel_names):
                if any(stain in name.casefold() for stain in _STAINS):
                    return ((i,),)
        return groups

    def output_spec(self, spec: LayerSpec, description: EngineDescription) -> LayerSpec:
        """Describe uint32 labels on the same grid, without channels."""
        self._check_supported(description)
        if spec.kind == "labels":
            raise PlanError(
                f"{spec.source or 'the layer'} holds labels, not intensities",
                "segmentation reads an image",
                "choose an image layer",
            )
        self.channel_groups(spec)
        # Sizes that cannot be converted to pixels are refused here, before anything runs.
        self._instance_rules(spec)
        return spec.without("c").replace(dtype="uint32", kind="labels", source=None, rgb=False, channel_names=())

    def instruction(self, spec: LayerSpec, tile_size: int, encoding: Encoding = "fields") -> Instruction:
        """State how to mark objects too, for an overlay."""
        words = super().instruction(spec, tile_size, encoding)
        return words.replace(mark=FILL_AND_LINE if encoding == "overlay" else None)

    def notes(self, spec: LayerSpec) -> list[str]:
        """Say which object size the prompt states, and which of its lengths are not used."""
        return size_notes(self.prompt, pixel_um(spec))

    def stack_notes(self, spec: LayerSpec, *, masked: bool = False) -> list[str]:
        """Say where linked objects are split, and which of them are dropped."""
        if not self.links(spec):
            return []
        rule = self.stack_rule(spec, masked=masked)
        done = "split at the narrowest plane" if rule.split else "not split"
        notes = [f"Objects that lie one above the other are {done} (split_z)."]
        if rule.least is not None:
            notes += [f"Objects in fewer than {rule.least} planes are dropped (min_planes)."] if rule.least > 1 else []
        elif rule.expected is None:
            unknown = "the distance of planes" if plane_distance(spec) is None else "the size of objects"
            why = "a mask may cut objects" if masked else f"{unknown} is not known"
            notes.append(f"Objects are kept even if they lie in a single plane, since {why} (min_planes).")
        elif rule.bound > 1:
            notes.append(
                f"Objects in fewer than {rule.bound} planes are dropped, since one of the stated size spans about "
                f"{rule.expected:.0f}; if most objects are flatter, fewer planes are enough (min_planes)."
            )
        return notes

    def understanding(self, spec: LayerSpec, description: EngineDescription) -> Understanding:
        """Return what of the prompt the engine understands, and what it does not."""
        return understand(self.prompt, spec, description)

    def unknown_result(self, unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the pixels that no channel shows; they are background."""
        return np.asarray(unknown.all(axis=0, keepdims=True))

    def decode(
        self, drawn: NDArray[np.float32], source: NDArray[np.float32], encoding: Encoding, mark: str | None = None
    ) -> NDArray[np.float32]:
        """Return foreground, interior and distance, each 0 to 1.

        An engine with ``fields`` generates them. With ``overlay`` they are
        computed from what it paints over the source, see
        :func:`napari_s1omni.operations.overlay.overlay_to_fields`.
        """
        if encoding == "overlay":
            return overlay_to_fields(drawn, source, mark)
        return np.clip(drawn, 0, 1)

    def finish(self, fields: NDArray[np.float32], context: FinishContext) -> FinishedBlock:
        """Number the objects 1 to n, plane by plane, and link them along z; ids are local to this block.

        The confidence of a pixel is its distance from the threshold: 0 where
        foreground and background are equally likely, 1 where one is certain.
        """
        target = context.target
        rules = self._instance_rules(target)
        labels = np.zeros(fields.shape[1:], np.uint32)
        last = 0
        for z in range(fields.shape[1]):
            how, division = rules, context.division
            if context.mark == FILL_AND_LINE and has_lines(fields[:, z]):
                how, division = replace(rules, fragment=LINE_FRAGMENT), LINE_DIVISION
            plane = label_plane(fields[:, z], how, context.edges, division)
            labels[z] = np.where(plane > 0, plane + np.uint32(last), 0) if self.instances else plane > 0
            last = max(last, int(labels[z].max()))
        if self.links(target):
            labels = link_planes(labels, _LINK, self.z_gap)
        confidence = np.clip(np.abs(2 * fields[0] - 1), 0, 1).astype(np.float32)
        return FinishedBlock(labels[None].astype(target.np_dtype), confidence)

    def _instance_rules(self, spec: LayerSpec) -> InstanceRules:
        hint = object_size(self.prompt, spec)
        if self.min_size is not None:
            smallest = round(size_in_px(self.min_size, spec, "min_size", 2))
        else:
            smallest = 12 if hint is None else max(4, round(0.1 * math.pi * hint**2 / 4))
        largest = None if self.max_size is None else math.ceil(size_in_px(self.max_size, spec, "max_size", 2))
        diameter = hint or DEFAULT_DIAMETER
        return InstanceRules(
            min_size=smallest,
            max_size=largest,
            fill_holes=self.fill_holes,
            # Instances are dropped after stitching, since a block may not contain the part at the border.
            drop_border=self.drop_border and not self.instances,
            small_hole=SMALL_HOLE,
            largest_hole=round(math.pi * diameter**2 / 4),
        )
