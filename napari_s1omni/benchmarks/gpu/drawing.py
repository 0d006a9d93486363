"""What a denoising step costs, by size and number of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from napari_s1omni.benchmarks.gpu.stopwatch import Stopwatch
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.editor.denoiser import build_denoiser, denoise

_CONDITION_TOKENS = 384


@dataclass(slots=True)
class DrawingCosts:
    """What was measured; None did not fit into the memory or into the time."""

    seconds_per_step: dict[int, dict[int, float | None]] = field(default_factory=dict)
    """Of one denoising step of an edit, by edge in px, then by tiles of a batch."""
    bare_share: float | None = None
    """Time of the network alone as a share of ours, at the largest edge."""
    codec_seconds: float | None = None
    """Encoding the source and decoding the tile, at the largest edge."""
    peak_memory: int | None = None
    """Largest number of allocated bytes."""
    invariance: dict[int, float] = field(default_factory=dict)
    """Largest difference of the velocity between a tile alone and in a batch, by tiles of the batch; 0: bit for bit."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The same tile in each row, so that rows can be compared."""

    start: torch.Tensor
    source: torch.Tensor
    states: torch.Tensor
    mask: torch.Tensor


class DrawingBenchmark:
    """Times the editor of a checkpoint."""

    def __init__(self, checkpoint: Checkpoint, watch: Stopwatch) -> None:
        self._transformer, self._codec = checkpoint.transformer, checkpoint.codec
        self._denoiser = build_denoiser(checkpoint.transformer)
        self._watch = watch
        self._alone: dict[int, torch.Tensor] = {}
        self._costs = DrawingCosts()

    @torch.inference_mode()
    def run(self, edges: Sequence[int], batches: Sequence[int], steps: int) -> DrawingCosts:
        """Measure edits of tiles with these edges in px, in batches of these sizes."""
        costs = self._costs
        self._watch.peak_memory()
        for edge in edges:
            times = costs.seconds_per_step.setdefault(edge, {})
            for batch in batches:
                times[batch] = self._watch.within_limits(lambda e=edge, b=batch: self._step(e, b, steps))  # type: ignore[misc]
        costs.bare_share = self._watch.within_limits(lambda: self._bare_share(edges[-1], steps))
        costs.codec_seconds = self._watch.within_limits(lambda: self._code(edges[-1]))
        costs.peak_memory = self._watch.peak_memory()
        return costs

    def _step(self, edge: int, batch: int, steps: int) -> float:
        inputs = self._inputs(edge, batch)
        # The first call also loads kernels.
        velocity = self._denoiser.predict(inputs.start, 0.5, inputs.source, inputs.states, inputs.mask)
        if batch == 1:
            self._alone[edge] = velocity
        elif edge in self._alone:
            difference = float((velocity - self._alone[edge]).abs().max())
            self._costs.invariance[batch] = max(self._costs.invariance.get(batch, 0.0), difference)
        return self._denoise(inputs, steps)

    def _denoise(self, inputs: _Inputs, steps: int) -> float:
        levels = torch.linspace(1, 0, steps + 1)
        return (
            self._watch.seconds(
                lambda: denoise(self._denoiser, inputs.start, levels, inputs.source, inputs.states, inputs.mask)
            )
            / steps
        )

    def _bare_share(self, edge: int, steps: int) -> float:
        """Compare with the same calls of the network, without packing, schedule and Euler steps."""
        inputs, kind = self._inputs(edge, 1), self._transformer.dtype
        side, channels = inputs.start.shape[-1] // 2, 4 * self._codec.channels
        given = {
            "hidden_states": torch.zeros(1, 2 * side * side, channels, device=self._watch.device, dtype=kind),
            "timestep": torch.full((1,), 0.5, device=self._watch.device, dtype=kind),
            "encoder_hidden_states": inputs.states.to(kind),
            "encoder_hidden_states_mask": inputs.mask,
            "img_shapes": [[(1, side, side), (1, side, side)]],
        }
        bare = self._watch.seconds(lambda: [self._transformer(**given, return_dict=False) for _ in range(steps)])
        return bare / steps / self._denoise(inputs, steps)

    def _code(self, edge: int) -> float:
        image = self._watch.random(1, 3, edge, edge).clamp(0, 1)
        self._codec.decode(self._codec.encode(image))
        return self._watch.seconds(lambda: self._codec.decode(self._codec.encode(image)))

    def _inputs(self, edge: int, batch: int) -> _Inputs:
        side, width = edge // self._codec.downscale, self._transformer.config.joint_attention_dim
        latent = self._watch.random(2, self._codec.channels, side, side)
        states = self._watch.random(1, _CONDITION_TOKENS, width)
        mask = torch.ones(batch, _CONDITION_TOKENS, dtype=torch.bool, device=self._watch.device)
        rows = (batch, -1, -1, -1)
        return _Inputs(latent[:1].expand(rows), latent[1:].expand(rows), states.expand(batch, -1, -1), mask)
