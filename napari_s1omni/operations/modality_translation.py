"""Modality translation: predict another modality or stain of the same field of view."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import Encoding, EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.registry import suggest_engine
from napari_s1omni.errors import OperationRefused
from napari_s1omni.operations.channels import grey
from napari_s1omni.operations.operation import FinishContext, FinishedBlock, Operation

_COLOUR = re.compile(r"\b(h\s*&\s*e|he|hes|ihc|rgb|colou?r|bright-?field colou?r|masson|pas|giemsa)\b", re.I)


class ModalityTranslation(Operation):
    """Predict another modality or stain.

    The result is float32 in model range: 0 is the dark end of the target
    modality (or no stain), 1 its bright end, not clipped. Dtype and intensities
    of the source have no meaning in another modality and are not kept.
    """

    type: Literal["modality_translation"] = "modality_translation"
    """Name of the operation."""

    prompt: str = Field("translate the image to the target modality", max_length=4000)
    """What to do, in your own words."""

    target: str = Field(min_length=1, max_length=80, pattern=r"^[^\n]*\S[^\n]*$")
    """Target modality or stain: ``hematoxylin``, ``eosin``, ``DAB``, ``inverted contrast``, ``IHC``, ``CT``, ..."""

    source_modality: str | None = Field(None, max_length=80, pattern=r"^[^\n]*\S[^\n]*$")
    """Modality or stain of the source, such as ``H&E``; left out, the channel names say it, or the engine
    decides."""

    @property
    def colour(self) -> bool:
        """Whether the target modality is a colour picture."""
        return _COLOUR.search(self.target) is not None

    def output_spec(self, spec: LayerSpec, description: EngineDescription) -> LayerSpec:
        """Describe the same grid with one float32 channel, or three for a colour modality."""
        self._check_supported(description)
        if not description.translates_to(self.target):
            raise OperationRefused(
                f"engine '{description.name}' does not translate to '{self.target}'",
                f"it translates to {', '.join(description.targets)}",
                f"choose one of these, or {suggest_engine(self.target)}",
                target=self.target,
                engine=description.name,
            )
        self.channel_groups(spec)
        plain = spec.without("c").replace(dtype="float32", kind="image", source=None, rgb=False)
        if not self.colour:
            return plain
        at = plain.axes.index("t") + 1 if "t" in plain else 0
        return plain.replace(
            **{
                name: (*getattr(plain, name)[:at], value, *getattr(plain, name)[at:])
                for name, value in (("shape", 3), ("axes", "c"), ("scale", 1.0), ("translate", 0.0), ("units", None))
            },
            channel_names=("red", "green", "blue"),
            rgb=True,
        )

    def instruction(self, spec: LayerSpec, tile_size: int, encoding: Encoding = "fields") -> Instruction:
        """State both modalities too."""
        (group,) = self.channel_groups(spec)
        named = ", ".join(spec.channel_names[c] for c in group) if spec.channel_names and not spec.rgb else None
        words = super().instruction(spec, tile_size, encoding)
        return words.replace(source=self.source_modality or named, target=self.target)

    def finish(self, fields: NDArray[np.float32], context: FinishContext) -> FinishedBlock:
        """Keep the model range; a grey target is the mean of the three generated channels."""
        generated = fields if context.target.rgb else grey(fields)
        return FinishedBlock(generated.astype(context.target.np_dtype), None)
