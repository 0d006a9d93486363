"""What a token costs, by rows of a batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from napari_s1omni.benchmarks.gpu.stopwatch import Stopwatch
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling
from napari_s1omni.engine.s1omni.thinker.decoding import ImagePrompts, cache_name, decode
from napari_s1omni.engine.s1omni.thinker.patches import patchify
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer

_INSTRUCTION = "Segment the nuclei of this fluorescence image. Say what you see before you draw."


@dataclass(slots=True)
class ThinkingCosts:
    """What was measured; None did not fit into the memory or into the time."""

    tokens_per_second: dict[int, float | None] = field(default_factory=dict)
    """By rows of a batch, all rows together, after the prompt."""
    prompt_tokens: int = 0
    """Tokens of a prompt with its image."""
    bare_share: float | None = None
    """Time of the network alone as a share of ours, for one row."""
    peak_memory: int | None = None
    """Largest number of allocated bytes."""
    invariance: dict[int, float] = field(default_factory=dict)
    """Largest difference of the logits between a row alone and in a batch, by rows of the batch; 0: bit for bit."""


class ThinkingBenchmark:
    """Times the thinker of a checkpoint."""

    def __init__(self, checkpoint: Checkpoint, prompting: PromptTokenizer, watch: Stopwatch) -> None:
        self._checkpoint, self._backbone, self._prompting = checkpoint, checkpoint.backbone, prompting
        self._watch = watch
        self._alone: torch.Tensor | None = None
        self._costs = ThinkingCosts()

    @torch.inference_mode()
    def run(self, edge: int, batches: Sequence[int], tokens: int) -> ThinkingCosts:
        """Measure the writing of so many tokens about images of this edge in px."""
        costs = self._costs
        self._watch.peak_memory()
        for rows in batches:
            costs.tokens_per_second[rows] = self._watch.within_limits(lambda r=rows: self._speed(edge, r, tokens))  # type: ignore[misc]
        costs.bare_share = self._watch.within_limits(lambda: self._bare_share(edge, tokens))
        costs.peak_memory = self._watch.peak_memory()
        return costs

    def _speed(self, edge: int, rows: int, tokens: int) -> float:
        prompts = self._prompts(edge, rows)
        self._compare(prompts)
        return rows / self._seconds_per_token(prompts, tokens)

    def _seconds_per_token(self, prompts: ImagePrompts, tokens: int) -> float:
        rows = self._rows(prompts)
        # Each token is chosen, and then replaced by one of these, since random weights might end at once.
        words = self._prompting.encode(" ".join(map(str, range(10_000, 10_000 + tokens))))

        def write() -> list[float]:
            """Return when each token of the first row was there; choosing it waits for the device."""
            choice, begun = TokenSampling(max_new_tokens=tokens), [words[:tokens]] * rows
            seen: list[float] = []

            def note(row: int, token: int) -> None:
                if row == 0:
                    seen.append(time.perf_counter())

            decode(self._backbone, self._prompting, prompts, choice, begun=begun, on_token=note)
            return seen

        write()
        seen = write()
        return (seen[-1] - seen[0]) / (len(seen) - 1)

    def _bare_share(self, edge: int, tokens: int) -> float:
        """Compare with the same calls of the network, without choosing tokens and looking for the end."""
        prompts, model = self._prompts(edge, 1), self._backbone.model
        first, cache = self._read(prompts), cache_name(model)
        token = torch.zeros(1, 1, dtype=torch.long, device=self._watch.device)
        place = torch.full((3, 1, 1), len(prompts.ids), device=self._watch.device)

        def write() -> None:
            out = first
            for _ in range(tokens):
                out = model(input_ids=token, position_ids=place, use_cache=True, **{cache: getattr(out, cache)})
                self._backbone.lm_head(out.last_hidden_state[:, -1])

        bare = self._watch.seconds(write) / tokens
        return bare / self._seconds_per_token(prompts, tokens)

    def _compare(self, prompts: ImagePrompts) -> None:
        rows = self._rows(prompts)
        logits = self._backbone.lm_head(self._read(prompts).last_hidden_state[:, -1]).float()
        if rows == 1:
            self._alone = logits
        elif self._alone is not None:
            self._costs.invariance[rows] = float((logits - self._alone).abs().max())

    def _read(self, prompts: ImagePrompts) -> Any:
        """Pass the prompt through the network."""
        ids = torch.tensor([list(prompts.ids)] * self._rows(prompts), device=self._watch.device)
        kinds = (ids == self._prompting.ids["image_pad"]).int()
        grid = prompts.grid
        positions, _ = self._backbone.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid)
        given = {"pixel_values": prompts.pixel_values, "image_grid_thw": grid, "position_ids": positions}
        return self._backbone.model(input_ids=ids, use_cache=True, **given)

    def _rows(self, prompts: ImagePrompts) -> int:
        assert prompts.grid is not None  # each row has its image
        return len(prompts.grid)

    def _prompts(self, edge: int, rows: int) -> ImagePrompts:
        geometry, vision = self._checkpoint.geometry, self._checkpoint.config.vision
        prompt = self._prompting.prompt(_INSTRUCTION, geometry.tokens(edge, edge, vision))
        self._costs.prompt_tokens = len(prompt.ids)
        image = self._watch.random(1, 3, edge, edge).clamp(0, 1).expand(rows, -1, -1, -1)
        values, grid = patchify(image, geometry, vision)
        return ImagePrompts(prompt.ids, values.to(self._backbone.dtype), grid)
