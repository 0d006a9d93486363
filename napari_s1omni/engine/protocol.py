"""The engine protocol: the contract between tiles and models.

An engine knows images, words and numbers. It never sees a layer, a chunk, a block or a widget. It takes batches,
thinks before it draws, and its thoughts are plain data from which the drawing can be repeated exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.instruction import Instruction

Images = NDArray[np.float32]
"""float32 (B, 3, H, W) in model range: 0 is the layer's dark end, 1 its bright end, never clipped."""

OnText = Callable[[int, str], None]
"""Called with (index in the batch, newly written piece of text)."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What an engine decided before drawing. Storing it is enough to draw the same tile again."""

    text: str
    """Trace, answer and route token, as written."""
    token_ids: tuple[int, ...] = ()
    """The same as tokens of the engine, without the prompt; empty if the engine has no tokens."""
    route: str | None = None
    """Route token, such as ``<image_edit>``; None is a plain text answer that draws nothing."""
    prompt: str = ""
    """Text of the instruction that was answered. The drawing depends on it, so it is stored too.
    If both this and `token_ids` are empty, `text` is the instruction itself and the engine did not think."""
    runaway: str = ""
    """How a discarded first attempt ended, such as ``repeating``; empty if this is the first attempt."""
    margin: int = 0
    """Source pixels around a tile that the engine must see, so that what it draws is the same in any tile."""

    @property
    def remark(self) -> str:
        """A sentence for people on how the thought came about; mostly empty."""
        return f"A first attempt was {self.runaway}; this is the second." if self.runaway else ""

    @property
    def trace(self) -> str:
        """The reasoning between ``<think>`` and ``</think>``."""
        found = re.search(r"<think>(.*?)(?:</think>|$)", self.text, re.S)
        return found.group(1).strip() if found else ""

    @property
    def answer(self) -> str:
        """The text after the reasoning, without route and other special tokens."""
        rest = re.sub(r"<think>.*?(?:</think>|$)", "", self.text, flags=re.S)
        return re.sub(r"<\|?\w+\|?>", "", rest).strip()


@runtime_checkable
class Engine(Protocol):
    """Thinks and draws. Both methods are deterministic given their arguments and the batch size."""

    @property
    def description(self) -> EngineDescription:
        """The description that :func:`napari_s1omni.engine.registry.describe` returns for this engine."""
        ...

    def think(
        self, images: Images, instruction: Instruction, sampling: Sampling, on_text: OnText | None = None
    ) -> list[Thought]:
        """Look at each tile and write down what to do.

        Parameters
        ----------
        images : float32 (B, 3, H, W)
            Source tiles in model range.
        instruction : Instruction
            What to do with each of them; :attr:`~napari_s1omni.engine.instruction.Instruction.text` has it in words.
        sampling : Sampling
        on_text : callable, optional
            Receives the text while it is written.

        Returns
        -------
        list of B Thought

        Raises
        ------
        OperationRefused
            If the engine does not perform the operation.
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
        images : float32 (B, 3, h + 2 margin, w + 2 margin)
            Source tiles in model range, with the margin that their thoughts ask for: 0 unless the engine sets
            :attr:`Thought.margin`, and the same in all of them. With a margin, pixels beyond the edge of the layer are
            NaN (:mod:`napari_s1omni.engine.margin`).
        thoughts : sequence of B Thought
            From :meth:`think` or from a store.
        sampling : Sampling
        noise : sequence of B NoiseField
            ``noise[i].shape`` is the size (H, W) to draw, of the tile without its margin; larger than (h, w) in
            super-resolution.

        Returns
        -------
        float32 (B, 3, H, W), or (B, 4, H, W) if the description says that the engine expects errors
            :data:`~napari_s1omni.engine.description.FIELDS` for a mask, model range for an image; then the absolute
            error to expect of the foreground, or of the image.

        Raises
        ------
        GenerationError
            If a drawn tile is not finite.
        """
        ...

    def close(self) -> None:
        """Free memory and device. Closing twice does nothing."""
        ...
