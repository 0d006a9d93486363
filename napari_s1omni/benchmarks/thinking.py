"""What writing a thought costs beside the network: choosing tokens, noticing the end, and streaming the text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from napari_s1omni.engine.s1omni.checkpoint.layout import open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import load_prompting
from napari_s1omni.engine.s1omni.checkpoint.model_store import locate
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling, choose_tokens
from napari_s1omni.engine.s1omni.thinker.ending import ThoughtEnding
from napari_s1omni.engine.s1omni.thinker.streaming import TextStream

_VOCABULARY = 151_936
"""Tokens that the large model knows."""
_SHARPNESS = 4.0
"""Standard deviation of the random logits."""
_WINDOW = 512
"""Tokens at the end over which the time of streaming is measured; all before are written first."""


def thinking(tokens: int = 8192, rows: int = 8, steps: int = 24, name: str = "nano") -> dict[str, float]:
    """Measure milliseconds for each token of each row.

    Parameters
    ----------
    tokens : int
        Length of a thought, at whose end streaming is measured.
    rows : int
        Thoughts written at once.
    steps : int
        Steps over which choosing is measured, with random logits.
    name : str
        Checkpoint whose tokenizer is used.
    """
    prompting = load_prompting(open_layout(locate(name)))
    torch.manual_seed(0)
    logits = [torch.randn(rows, _VOCABULARY) * _SHARPNESS for _ in range(4)]
    times = {}
    for kind, choice in (
        ("greedy", TokenSampling()),
        ("top_p_0.95", TokenSampling(0.7, 0.95)),
        ("top_p_1", TokenSampling(0.7, 1.0)),
    ):
        generators = [np.random.Generator(np.random.Philox(row)) for row in range(rows)]
        times[kind] = _seconds(partial(_choose, logits, choice, generators), steps)
    words = prompting.encode("<think>many; low noise; no blur; 12 % covered; size 20 px; count 34; ")
    # Numbers between the words keep a thought from counting as repeating.
    numbers = [prompting.encode(f"{number} ") for number in range(100)]
    written: list[int] = []
    for number in range(tokens):
        written += [*words, *numbers[number % 100]]
        if len(written) >= tokens:
            break
    streams = [TextStream(prompting) for _ in range(rows)]
    endings = [ThoughtEnding(prompting) for _ in range(rows)]

    def write(step: int) -> None:
        for stream, ending in zip(streams, endings, strict=True):
            ending.add(written[step])
            stream.add(written[step])

    window = min(_WINDOW, tokens)
    for step in range(tokens - window):
        write(step)
    streaming = _seconds(lambda step: write(tokens - window + step), window)
    milliseconds = {f"choosing_ms_{kind}": 1e3 * seconds / rows for kind, seconds in times.items()}
    milliseconds["streaming_ms"] = 1e3 * streaming / rows
    milliseconds["together_ms"] = milliseconds["streaming_ms"] + max(1e3 * value / rows for value in times.values())
    return {"tokens": tokens, "rows": rows, "vocabulary": _VOCABULARY, **milliseconds}


def _choose(
    logits: Sequence[torch.Tensor], choice: TokenSampling, generators: Sequence[np.random.Generator], step: int
) -> None:
    choose_tokens(logits[step % len(logits)], choice, generators)


def _seconds(step: Callable[[int], object], steps: int) -> float:
    begun = time.perf_counter()
    for number in range(steps):
        step(number)
    return (time.perf_counter() - begun) / steps
