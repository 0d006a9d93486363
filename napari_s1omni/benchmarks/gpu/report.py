"""What a model of the released size costs on this machine's GPU, in a few minutes."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import torch

from napari_s1omni.benchmarks.gpu.drawing import DrawingBenchmark, DrawingCosts
from napari_s1omni.benchmarks.gpu.random_checkpoint import TINY, fitting_size, parameters, random_checkpoint
from napari_s1omni.benchmarks.gpu.stopwatch import Stopwatch
from napari_s1omni.benchmarks.gpu.thinking import ThinkingBenchmark, ThinkingCosts
from napari_s1omni.errors import EngineUnavailable

YARDSTICK: dict[str, float | int | str] = {
    "seconds": 17.8,
    "steps": 50,
    "edge": 1024,
    "device": "H200",
    "source": "vLLM-Omni, pull request 3684",
}
"""What others publish for the same editor."""


@dataclass(frozen=True, slots=True)
class GpuReport:
    """All numbers of one run."""

    device: str
    torch: str
    tiny: bool
    """Whether the networks are tiny, so that the numbers say nothing of the released model."""
    layers: dict[str, int]
    """Of the thinker and of the editor; fewer than released where the memory is too small."""
    layers_share: float
    """Share of the released layers; times of 1 / share as long are to be expected of all of them."""
    parameters: dict[str, int]
    """Weights by component."""
    thinking: ThinkingCosts
    drawing: DrawingCosts
    edit_seconds: float | None
    """50 denoising steps and the codec for one tile with the largest edge; compare it with `yardstick`."""
    yardstick: dict[str, float | int | str]
    seconds: float
    """Time of the whole measurement."""

    def to_json(self) -> dict[str, object]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def measure_gpu(device: str = "cuda", tiny: bool = False, minutes: float = 3.5) -> GpuReport:
    """Measure thinking and drawing with random weights.

    Parameters
    ----------
    device : str
        Device of torch. A CPU takes the tiny model only.
    tiny : bool
        Measure a tiny model of the same classes, to try the command.
    minutes : float
        Nothing new is begun after this time; what is missing then is None.

    Raises
    ------
    EngineUnavailable
        If there is no such device, or its memory is too small.
    """
    begin = time.monotonic()
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        raise EngineUnavailable(
            "torch finds no GPU here", "a GPU with CUDA", "use --device cpu --tiny to try the command"
        )
    if place.type == "cpu" and not tiny:
        raise EngineUnavailable(
            "the released model is far too large for a CPU", "a GPU", "add --tiny to try the command"
        )
    size, share = (TINY, 1.0) if tiny else fitting_size(place)
    checkpoint, prompting = random_checkpoint(size, place)
    watch = Stopwatch(place, begin + 60 * minutes)
    edges, batches, steps, tokens = ((64, 128), (1, 2), 2, 8) if tiny else ((512, 768, 1024), (1, 2, 4, 8), 3, 48)
    drawing = DrawingBenchmark(checkpoint, watch).run(edges, batches, steps)
    thinking = ThinkingBenchmark(checkpoint, prompting, watch).run(edges[-1], batches, tokens)
    step = drawing.seconds_per_step[edges[-1]][1]
    whole = None if step is None or drawing.codec_seconds is None else 50 * step + drawing.codec_seconds
    return GpuReport(
        device=torch.cuda.get_device_name(place) if place.type == "cuda" else "cpu",
        torch=torch.__version__,
        tiny=tiny,
        layers={"thinker": size.thinker_layers, "editor": size.editor_layers},
        layers_share=share,
        parameters=parameters(checkpoint),
        thinking=thinking,
        drawing=drawing,
        edit_seconds=whole,
        yardstick=YARDSTICK,
        seconds=time.monotonic() - begin,
    )
