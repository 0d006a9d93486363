"""What every engine is: the contract between tiles and models.

An engine knows images, words and numbers. It never sees a layer, a chunk, a
block or a widget. It is called batch first, thinks before it draws, and what
it thought is plain data from which the drawing can be repeated exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling

Images = NDArray[np.float32]
"""float32 (B, 3, H, W) in model range: 0 is the layer's dark end, 1 its bright end, never clipped."""

OnText = Callable[[int, str], None]
"""Called with (index in the batch, newly written piece of text)."""

Encoding = Literal["fields", "overlay"]
"""How an engine draws a mask: as :data:`FIELDS`, or as a translucent colour over the source."""

FIELDS = ("foreground", "interior", "distance")
"""Channels of an engine whose masks are encoded as ``fields``: probability that
the pixel belongs to an object, that it belongs to the object's eroded inside,
and its distance to the object's border over the object's largest one; all 0 to 1."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Sizes an engine can draw, in px of the drawn tile."""

    multiple_of: int = 1
    """Height and width must be multiples of this."""
    min_size: int = 8
    """Smallest edge."""
    max_size: int = 4096
    """Largest edge."""


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """Terms of the memory forecast, in bytes."""

    resident: int = 0
    """Held once loaded: weights, tokenizer, libraries."""
    per_tile_pixel: float = 64.0
    """Peak working memory for each drawn pixel of a micro-batch."""


@dataclass(frozen=True, slots=True)
class Division:
    """How objects are best told apart in the :data:`FIELDS` that an engine draws, see
    :func:`napari_s1omni.operations.instance_segmentation.label_plane`. Each engine has its own habits of drawing.

    Raises
    ------
    ValueError
        If a share is none.
    """

    distance: float = 0.5
    """Share of the drawn distance in the depth over which objects are divided; the rest is that of the distance
    transform of the foreground."""
    rise: float = 0.08
    """Least rise of an object's summit over its saddle to another, in the natural logarithm of the depth: a
    share, so that small and large objects are divided alike."""
    least: float = 0.0
    """Mean foreground below which an object is too doubtful to be one, 0 to 1."""

    def __post_init__(self) -> None:
        if not (0 <= self.distance <= 1 and 0 <= self.least <= 1 and self.rise >= 0):
            raise ValueError(f"{self}: distance and least are 0 to 1, rise is 0 or more")


DIVISION = Division()
"""That of an engine which states no other."""


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """What can be known of an engine without loading it. Plans are made from this."""

    name: str
    """Concrete name, never ``auto``."""
    revision: str
    """Identifies code and weights that affect pixels; part of the fingerprint of a run."""
    operations: tuple[str, ...]
    """Operation types it performs: ``segmentation``, ``super_resolution``, ``modality_translation``."""
    title: str = ""
    """One line for people."""
    limits: EngineLimits = field(default_factory=EngineLimits)
    memory: EngineMemory = field(default_factory=EngineMemory)
    tile_size: int = 256
    """Tile edge it was made for, in source px."""
    overlap: int = 64
    """Px shared by two neighbouring tiles that it needs to join well."""
    micro_batch: int = 8
    """Tiles per call; fixed, because the composition of a batch can change bits."""
    targets: tuple[str, ...] = ()
    """Modalities it translates to, lower case; empty where it takes any."""
    encoding: Encoding = "fields"
    """How it draws a mask; see :mod:`napari_s1omni.operations.segmentation`."""
    division: Division = DIVISION
    """How the objects of its masks are told apart."""
    seconds_per_tile: float | None = None
    """Expected time of one tile on this machine, for forecasts."""
    think: Literal["per_tile", "per_region", "once", "off"] = "per_tile"
    """How often it should think unless the user says otherwise."""
    weights_license: str = "none (no weights)"
    citation: str = ""
    generates: bool = True
    """Whether its images are drawn by a generative model and must be marked as such."""
    devices: tuple[str, ...] = ("cpu",)
    """Kinds of devices that can hold it, the first choice first."""
    gpus: int = 0
    """GPUs that each worker needs."""
    placement: str = ""
    """Which devices of this machine hold which of its parts, or what it would take to hold them, in words; empty where
    the processor does."""
    threads: int = 0
    """Threads with which it computes on a CPU, in every worker alike: their number changes bits. 0: it does not."""
    why: str = ""
    """Why this engine was chosen, when the user asked for ``auto``."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What an engine decided before drawing. Storing it is enough to draw again."""

    text: str
    """Trace, answer and route token, as written."""
    token_ids: tuple[int, ...] = ()
    """The same as the engine's own tokens, without the prompt; empty where an engine has none."""
    route: str | None = None
    """Route token, such as ``<image_edit>``; None is a plain text answer that draws nothing."""
    prompt: str = ""
    """The instruction it answers; part of what the drawing is conditioned on, so it is stored with it.
    Empty together with no `token_ids` means that `text` itself is the instruction and nothing was thought."""
    runaway: str = ""
    """How a first attempt ended that was thrown away, such as ``repeating``; empty: this is the first."""

    @property
    def remark(self) -> str:
        """What people should know of how it came about, as a sentence; mostly empty."""
        return f"A first attempt was {self.runaway}; this is the second." if self.runaway else ""

    @property
    def trace(self) -> str:
        """The reasoning between ``<think>`` and ``</think>``."""
        found = re.search(r"<think>(.*?)(?:</think>|$)", self.text, re.S)
        return found.group(1).strip() if found else ""

    @property
    def answer(self) -> str:
        """What follows the reasoning, without route and other special tokens."""
        rest = re.sub(r"<think>.*?(?:</think>|$)", "", self.text, flags=re.S)
        return re.sub(r"<\|?\w+\|?>", "", rest).strip()


@runtime_checkable
class Engine(Protocol):
    """Two verbs. Both are deterministic given their arguments and the batch size."""

    @property
    def description(self) -> EngineDescription:
        """The same description the registry gives for this name."""
        ...

    def think(self, images: Images, prompt: str, sampling: Sampling, on_text: OnText | None = None) -> list[Thought]:
        """Look at each tile and write what to do.

        Parameters
        ----------
        images : float32 (B, 3, H, W)
            Source tiles in model range.
        prompt : str
            The instruction, as :meth:`napari_s1omni.operations.operation.Operation.instruction` words it:
            a line ``Task: <operation type>``, lines of facts, and the user's own words.
        sampling : Sampling
        on_text : callable, optional
            Receives the text while it is written.

        Raises
        ------
        OperationRefused
            If the instruction asks for what this engine does not do.
        TileError
            If the thought of a tile of the batch is unusable.
        """
        ...

    def generate(
        self,
        images: Images,
        thoughts: Sequence[Thought],
        sampling: Sampling,
        noise: Sequence[NoiseField],
    ) -> Images:
        """Draw the result of each tile from its thought.

        Parameters
        ----------
        images : float32 (B, 3, h, w)
            Source tiles in model range.
        thoughts : sequence of B Thought
            From :meth:`think` or from a store.
        sampling : Sampling
        noise : sequence of B NoiseField
            ``noise[i].shape`` is the size (H, W) to draw; larger than (h, w) in super-resolution.

        Returns
        -------
        float32 (B, 3, H, W)
            Fields (see :data:`FIELDS`) for a mask, model range for an image.

        Raises
        ------
        GenerationError
            If a drawn tile is not finite.
        """
        ...

    def close(self) -> None:
        """Free memory and device."""
        ...
