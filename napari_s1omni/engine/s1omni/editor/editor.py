"""The editor: it draws tiles from their conditions with denoiser and codec."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, ObjectScaling
from napari_s1omni.engine.s1omni.editor.codec import Codec
from napari_s1omni.engine.s1omni.editor.denoiser import Denoiser, Guidance, denoise
from napari_s1omni.engine.s1omni.editor.object_scaling import drawing_size, resize, second_drawing_size
from napari_s1omni.engine.s1omni.editor.schedule import noise_levels
from napari_s1omni.engine.s1omni.editor.self_ensemble import flip_copies
from napari_s1omni.engine.s1omni.editor.trust import expected_error
from napari_s1omni.engine.s1omni.editor.upsampling import match_source, upsample
from napari_s1omni.engine.s1omni.thinker.thinker import Condition

POSTERIOR_STEP = 2**32
"""Noise index for sampling the codec's posterior of the source; far above the indices of the denoising steps."""


@dataclass(frozen=True, slots=True)
class TileGroup:
    """Properties shared by tiles that are drawn in one batch."""

    task: str
    edit: bool
    """Whether a source is edited; otherwise the image is generated from words alone."""
    size: tuple[int, int]
    """Height and width of the result, in pixels."""
    drawing_size: tuple[int, int]
    """Height and width at which it is drawn, in pixels."""
    rows: int
    """Rows of a batch, which is filled up with copies of its first tile."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Draws tiles of one :class:`TileGroup` at a time."""

    config: CheckpointConfig
    denoiser: Denoiser
    codec: Codec
    device: torch.device

    def group(
        self, task: str, edit: bool, thought: str, size: tuple[int, int], micro_batch: int, limits: tuple[int, int]
    ) -> TileGroup:
        """Return the group of a tile.

        Parameters
        ----------
        task : str
        edit : bool
        thought : str
            Text of the thought, which may state the size of objects.
        size : (int, int)
            Height and width of the result, in pixels.
        micro_batch : int
            Tiles of this size that fit into memory.
        limits : (int, int)
            Divisor of the edges, and longest edge, in pixels.
        """
        scaling = self._object_scaling(task)
        drawn = size if scaling is None else drawing_size(thought, size, scaling, *limits)
        return TileGroup(task, edit, size, drawn, _rows(size, drawn, micro_batch))

    def second_group(
        self, group: TileGroup, thought: str, drawn: NDArray[np.float32], micro_batch: int, limits: tuple[int, int]
    ) -> TileGroup | None:
        """Return the group in which a tile is drawn again, at the scale that its drawn objects need; None if it is not.

        Parameters
        ----------
        group : TileGroup
            The one that it was drawn in.
        thought : str
        drawn : float32 (C, H, W)
            The tile as it was drawn.
        micro_batch : int
        limits : (int, int)
            As for :meth:`group`.
        """
        scaling = self._object_scaling(group.task)
        if scaling is None or self.config.engine.encoding != "fields":
            return None
        size = second_drawing_size(drawn, thought, group.size, scaling, *limits)
        if size is None:
            return None
        return dataclasses.replace(group, drawing_size=size, rows=_rows(group.size, size, micro_batch))

    def batch_size(self, group: TileGroup) -> int:
        """Return how many tiles of a group are drawn at once."""
        return max(1, group.rows // self.config.denoising.self_ensemble)

    def max_condition_tokens(self, group: TileGroup) -> int | None:
        """Return the largest number of condition tokens; None if there is no limit."""
        return self.denoiser.max_condition_tokens(*self._latent_size(group))

    def draw(
        self,
        group: TileGroup,
        images: torch.Tensor,
        condition: Condition,
        sampling: Sampling,
        noise: Sequence[NoiseField],
        empty: Condition | None = None,
    ) -> torch.Tensor:
        """Draw one batch.

        Parameters
        ----------
        group : TileGroup
        images : float32 tensor (B, 3, h, w)
            Source tiles in model range, at most :meth:`batch_size`.
        condition : Condition
            Of each tile.
        sampling : Sampling
        noise : sequence of B NoiseField
        empty : Condition, optional
            Condition of an empty request, one row, if the group is generated and not edited.

        Returns
        -------
        float32 tensor (B, 3 or 4, H, W) on the CPU; the fourth plane is the error to expect
        """
        config, copies = self.config, self.config.denoising.self_ensemble
        scaled = [field.on_grid(group.drawing_size, self.codec.downscale) for field in noise]
        fill = [i for i in range(len(images)) for _ in range(copies)]
        fill += [0] * (group.rows - len(fill))
        start = flip_copies(self._noise(scaled, 0)[fill] * config.noise_scale, copies)
        prediction = config.denoising.prediction_of(group.task)
        source, base = self._encode_source(group, images, scaled, fill) if group.edit else (None, None)
        default_steps = config.sampling.edit_steps if group.edit else config.sampling.generation_steps
        levels = noise_levels(
            config.denoising.schedule,
            config.scheduler_config,
            sampling.num_inference_steps or default_steps,
            self.denoiser.image_tokens(*self._latent_size(group)),
        )
        out = denoise(
            self.denoiser,
            start,
            levels,
            source,
            condition.states[fill],
            condition.mask[fill],
            prediction=prediction,
            base=base,
            guidance=self._guidance(sampling, empty, len(fill)),
        )
        latent, trust = out.tensor_split([self.codec.channels], 1)
        drawn = flip_copies(self.codec.decode(latent)[: len(images) * copies].float(), copies)
        drawn = drawn.unflatten(0, (-1, copies)).mean(1) if copies > 1 else drawn
        if group.edit and prediction == "residual" and config.denoising.enlargement == "restored":
            drawn = match_source(images, drawn)
        if group.task == "segmentation" and config.engine.encoding == "fields":
            drawn = drawn.clamp(0, 1)
        if trust.shape[1]:
            planes = flip_copies(self.codec.decode(trust)[: len(images) * copies].float(), copies)
            error = expected_error(planes, group.task == "segmentation")
            drawn = torch.cat([drawn, error.unflatten(0, (-1, copies)).mean(1)], 1)
        return resize(drawn.cpu(), group.size)

    def _encode_source(
        self, group: TileGroup, images: torch.Tensor, noise: Sequence[NoiseField], fill: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the latent of the source that the denoiser gets, and the one to which a residual is added."""
        config = self.config
        if self._object_scaling(group.task):
            scaled = resize(images, group.drawing_size)
        else:
            scaled = upsample(images, group.drawing_size, config.denoising.enlargement)
        scaled = flip_copies(scaled[fill], config.denoising.self_ensemble)
        clamped = scaled if config.vision.clamp is None else scaled.clamp(*config.vision.clamp)
        sampled = config.denoising.schedule == "released"
        source = self.codec.encode(clamped, self._noise(noise, POSTERIOR_STEP)[fill] if sampled else None)
        residual = config.denoising.prediction_of(group.task) == "residual"
        return source, self.codec.encode(scaled) if residual else None

    def _guidance(self, sampling: Sampling, empty: Condition | None, rows: int) -> Guidance | None:
        if empty is None:
            return None
        scale, fill = self.guidance_scale(sampling), [0] * rows
        return Guidance(empty.states[fill], empty.mask[fill], scale, self.config.denoising.schedule == "stock")

    def guidance_scale(self, sampling: Sampling) -> float:
        """Return the scale of classifier-free guidance; 1 and below is none."""
        return sampling.true_cfg_scale or self.config.sampling.true_cfg_scale

    def _object_scaling(self, task: str) -> ObjectScaling | None:
        return self.config.denoising.object_size if task == "segmentation" else None

    def _latent_size(self, group: TileGroup) -> tuple[int, int]:
        height, width = (edge // self.codec.downscale for edge in group.drawing_size)
        return height, width

    def _noise(self, noise: Sequence[NoiseField], step: int) -> torch.Tensor:
        drawn = np.stack([field.draw(step, self.codec.channels, self.codec.downscale) for field in noise])
        return torch.from_numpy(drawn).to(self.device)


def _rows(size: tuple[int, int], drawn: tuple[int, int], micro_batch: int) -> int:
    """Return the rows of a batch: a tile that is drawn larger takes the memory of several."""
    return max(1, micro_batch * math.prod(size) // max(math.prod(size), math.prod(drawn)))
