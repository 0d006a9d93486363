"""The decoding loop: batched generation of tokens with a key-value cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling, choose_tokens
from napari_s1omni.engine.s1omni.thinker.ending import ThoughtEnding
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer


@dataclass(frozen=True, slots=True)
class ImagePrompts:
    """One prompt for a batch of images of one size, so that no row is padded."""

    ids: Sequence[int]
    """Tokens of the prompt."""
    pixel_values: torch.Tensor | None
    """Patches, from :func:`napari_s1omni.engine.s1omni.thinker.patches.patchify`."""
    grid: torch.Tensor | None
    """Rows and columns of patches, from the same function."""
    rows: int | None = None
    """Sequences of the batch; by default one for each image. A conversation is one with any number of images."""


@dataclass(frozen=True, slots=True)
class DecodedTokens:
    """Result of :func:`decode`."""

    ids: list[list[int]]
    """Tokens of each row, up to and including the last one."""
    endings: list[str]
    """Per row ``stopped``, ``too long`` or ``repeating``."""
    states: torch.Tensor | None
    """(B, prompt + tokens, width): hidden states of every input token; None without a probe."""


def decode(
    backbone: Any,
    prompting: PromptTokenizer,
    prompts: ImagePrompts,
    choice: TokenSampling,
    *,
    on_token: Callable[[int, int], None] | None = None,
    forced: Sequence[Sequence[int]] | None = None,
    begun: Sequence[Sequence[int]] = (),
    probe: HiddenStates | None = None,
) -> DecodedTokens:
    """Continue a prompt for a batch of images of one size.

    Parameters
    ----------
    backbone : Qwen3VLForConditionalGeneration
    prompting : PromptTokenizer
    prompts : ImagePrompts
    choice : TokenSampling
    on_token : callable, optional
        Called with (row, new token).
    forced : sequence of token sequences, optional
        Tokens to replay instead of choosing. The states are bit-identical to those of choosing them.
    begun : sequence of token sequences, optional
        First tokens of each row, given instead of chosen.
    probe : HiddenStates, optional
        Collects the states. One more step is then run, so that the last token and the end of turn have states too.
    """
    device = backbone.device
    grid = prompts.grid
    rows = prompts.rows or (0 if grid is None else len(grid))
    ids = torch.tensor([list(prompts.ids)] * rows, device=device)
    kinds = (ids == prompting.ids["image_pad"]).int()
    positions, _ = backbone.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid)
    following = int(positions.max()) + 1
    generators = [np.random.Generator(np.random.Philox(seed)) for seed in choice.seeds]
    written: list[list[int]] = [[] for _ in range(rows)]
    watched = [ThoughtEnding(prompting) for _ in range(rows)]
    endings: list[str | None] = [None] * rows
    end = prompting.ids["turn_end"]
    states: list[torch.Tensor] = []
    cache = cache_name(backbone.model)
    out = backbone.model(
        input_ids=ids, position_ids=positions, pixel_values=prompts.pixel_values, image_grid_thw=grid, use_cache=True
    )
    for step in range(choice.max_new_tokens + 2):
        hidden = out.last_hidden_state
        if probe is not None:
            states.append(probe.take(hidden))
        if forced is not None:
            done = step >= max(len(row) for row in forced)
            fed = [row[step] if step < len(row) else end for row in forced]
        else:
            done = step >= choice.max_new_tokens or all(endings)
            fed = [end] * rows
            if not done:
                chosen = choose_tokens(backbone.lm_head(hidden[:, -1]).float(), choice, generators)
                for i in (i for i in range(rows) if endings[i] is None):
                    fed[i] = begun[i][step] if begun and step < len(begun[i]) else chosen[i]
                    written[i].append(fed[i])
                    endings[i] = watched[i].add(fed[i])
                    if on_token is not None:
                        on_token(i, fed[i])
            if all(endings) and probe is None:
                break
        if done and (probe is None or forced is not None or step > max(map(len, written))):
            break
        token = torch.tensor(fed, device=device).view(rows, 1)
        place = torch.full((3, rows, 1), following + step, device=device)
        out = backbone.model(input_ids=token, position_ids=place, use_cache=True, **{cache: getattr(out, cache)})
    return DecodedTokens(
        [list(row) for row in forced] if forced is not None else written,
        [ending or "too long" for ending in endings],
        torch.cat(states, 1) if states else None,
    )


def cache_name(model: Any) -> str:
    """Return the name of the key-value cache of `model`: transformers 5.24 renamed ``past_key_values`` to ``cache``."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class HiddenStates:
    """Reads hidden states of the last layer, after or before the final normalisation."""

    def __init__(self, backbone: Any, before_norm: bool) -> None:
        self._norm = backbone.model.language_model.norm
        self._before = before_norm
        self._last: torch.Tensor | None = None
        self._hook: Any = None

    def __enter__(self) -> HiddenStates:
        if self._before:
            self._hook = self._norm.register_forward_pre_hook(self._keep)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _keep(self, _module: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        self._last = arguments[0]

    def take(self, last_hidden_state: torch.Tensor) -> torch.Tensor:
        """Return the states of the last forward pass."""
        return last_hidden_state if self._last is None else self._last
