"""Super-resolution: a finer grid with the same intensity scale."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_s1omni.core.normalization import cast_to
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.operations.channels import channel_index, grey
from napari_s1omni.operations.operation import FinishContext, FinishedBlock, Operation

Factor = Literal[1, 2, 4]


class SuperResolution(Operation):
    """Restore an image on a finer grid; dtype and intensity scale are those of the source."""

    type: Literal["super_resolution"] = "super_resolution"
    """Name of the operation."""

    prompt: str = Field("restore the image at higher resolution", max_length=4000)
    """What to do, in your own words."""

    factor: Literal[2, 4] | tuple[Factor, Factor] = 2
    """Target pixels per source pixel: 2 or 4 for both axes, or a pair (y, x) of 1, 2 or 4."""

    def zoom(self) -> tuple[int, int]:
        """Target px per source px, (y, x)."""
        return (self.factor, self.factor) if isinstance(self.factor, int) else self.factor

    def channel_groups(self, spec: LayerSpec) -> tuple[tuple[int, ...], ...]:
        """Return the colours of a picture as one group; each stain alone, so that none bleeds into another."""
        if spec.rgb and self.channels is None:
            return ((0, 1, 2),)
        chosen = range(spec.size("c")) if self.channels is None else [channel_index(c, spec) for c in self.channels]
        return tuple((c,) for c in chosen)

    def output_spec(self, spec: LayerSpec, description: EngineDescription) -> LayerSpec:
        """Describe the finer grid: the first target pixel is centred half a target pixel inside the same border."""
        self._check_supported(description)
        self.check_intensities(spec)
        by = dict(zip("yx", self.zoom(), strict=True))
        groups = self.channel_groups(spec)
        kept = [c for group in groups for c in group]
        sizes = {"c": len(kept)}
        names = tuple(spec.channel_names[c] for c in kept) if spec.channel_names else ()
        return spec.replace(
            shape=tuple(sizes.get(a, n) * by.get(a, 1) for a, n in zip(spec.axes, spec.shape, strict=True)),
            scale=tuple(s / by.get(a, 1) for a, s in zip(spec.axes, spec.scale, strict=True)),
            translate=tuple(
                t + (1 / by.get(a, 1) - 1) / 2 * s
                for a, t, s in zip(spec.axes, spec.translate, spec.scale, strict=True)
            ),
            kind="image",
            source=None,
            channel_names=names,
            rgb=spec.rgb and kept == [0, 1, 2],
        )

    def unknown_result(self, unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the unknown pixels of each channel: it is restored from itself."""
        return unknown

    def finish(self, fields: NDArray[np.float32], context: FinishContext) -> FinishedBlock:
        """Convert model range back to the layer's intensities and cast to its dtype."""
        channels = context.channels
        generated = grey(fields) if len(channels) == 1 else fields[: len(channels)]
        values = context.normalization.from_model(generated, channels)
        return FinishedBlock(cast_to(values, context.target.np_dtype), None)
