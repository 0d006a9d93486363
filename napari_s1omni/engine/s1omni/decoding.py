"""The decoding loop: next token after next token, batched, with a key-value cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_s1omni.engine.s1omni.prompting import Prompting

_LONGEST_PERIOD = 32
_LEAST_REPEATS = 4
_LEAST_REPEATED = 24


@dataclass(frozen=True, slots=True)
class Choice:
    """How the next token is chosen."""

    temperature: float = 0.0
    """0: the most probable one."""
    top_p: float = 1.0
    seeds: tuple[int, ...] = ()
    """One seed per row, used above temperature 0; it follows the tile, not its place in the batch."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one call of :func:`decode` gives."""

    ids: list[list[int]]
    """Tokens of each row, up to and with the one that ended it."""
    endings: list[str]
    """Per row ``stopped``, ``too long`` or ``repeating``."""
    states: torch.Tensor | None
    """Where asked for: (B, prompt + tokens, width) states of every token that was fed."""


def decode(
    backbone: Any,
    prompting: Prompting,
    prompt: Sequence[int],
    pixel_values: torch.Tensor,
    grid: torch.Tensor,
    *,
    max_new_tokens: int,
    choice: Choice,
    on_token: Callable[[int, list[int]], None] | None = None,
    forced: Sequence[Sequence[int]] | None = None,
    probe: StateProbe | None = None,
) -> Decoded:
    """Continue one prompt for a batch of images of one size.

    Parameters
    ----------
    backbone : Qwen3VLForConditionalGeneration
    prompting : Prompting
    prompt : sequence of int
        The same for all rows, so that no row is padded.
    pixel_values, grid : tensors
        From :func:`napari_s1omni.engine.s1omni.patches.patchify`.
    max_new_tokens : int
    choice : Choice
    on_token : callable, optional
        Called with (row, tokens of that row so far) after each new token.
    forced : sequence of token sequences, optional
        Replay these instead of choosing; the states are those that choosing them gave, bit for bit.
    probe : StateProbe, optional
        Collects states; one more step is then run, so that the last token and the end of turn have theirs.
    """
    device = backbone.device
    rows = len(grid)
    ids = torch.tensor([list(prompt)] * rows, device=device)
    kinds = (ids == prompting.ids["image_pad"]).int()
    positions, _ = backbone.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid)
    following = int(positions.max()) + 1
    generators = [np.random.Generator(np.random.Philox(seed)) for seed in choice.seeds]
    written: list[list[int]] = [[] for _ in range(rows)]
    endings: list[str | None] = [None] * rows
    end = prompting.ids["turn_end"]
    states: list[torch.Tensor] = []
    cache = cache_name(backbone.model)
    out = backbone.model(
        input_ids=ids, position_ids=positions, pixel_values=pixel_values, image_grid_thw=grid, use_cache=True
    )
    for step in range(max_new_tokens + 2):
        hidden = out.last_hidden_state
        if probe is not None:
            states.append(probe.take(hidden))
        if forced is not None:
            done = step >= max(len(row) for row in forced)
            fed = [row[step] if step < len(row) else end for row in forced]
        else:
            done = step >= max_new_tokens or all(endings)
            fed = [end] * rows
            if not done:
                chosen = _choose(backbone.lm_head(hidden[:, -1]).float(), choice, generators)
                for i in (i for i in range(rows) if endings[i] is None):
                    fed[i] = chosen[i]
                    written[i].append(chosen[i])
                    endings[i] = _ending(written[i], prompting)
                    if on_token is not None:
                        on_token(i, written[i])
            if all(endings) and probe is None:
                break
        if done and (probe is None or forced is not None or step > max(map(len, written))):
            break
        token = torch.tensor(fed, device=device).view(rows, 1)
        place = torch.full((3, rows, 1), following + step, device=device)
        out = backbone.model(input_ids=token, position_ids=place, use_cache=True, **{cache: getattr(out, cache)})
    return Decoded(
        [list(row) for row in forced] if forced is not None else written,
        [ending or "too long" for ending in endings],
        torch.cat(states, 1) if states else None,
    )


def cache_name(model: Any) -> str:
    """Return how `model` calls its key-value cache: transformers 5.24 renamed ``past_key_values`` to ``cache``."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class StateProbe:
    """Reads the states that condition the editor: after the final norm, or before it."""

    def __init__(self, backbone: Any, before_norm: bool) -> None:
        self._norm = backbone.model.language_model.norm
        self._before = before_norm
        self._last: torch.Tensor | None = None
        self._hook: Any = None

    def __enter__(self) -> StateProbe:
        if self._before:
            self._hook = self._norm.register_forward_pre_hook(self._keep)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _keep(self, _module: Any, arguments: tuple[torch.Tensor, ...]) -> None:
        self._last = arguments[0]

    def take(self, last_hidden_state: torch.Tensor) -> torch.Tensor:
        """Return the wanted states of the forward pass just made."""
        return last_hidden_state if self._last is None else self._last


def repeats(ids: Sequence[int]) -> bool:
    """Whether the end of `ids` goes round in a circle of at most 32 tokens, four times and 24 tokens or more."""
    for period in range(1, _LONGEST_PERIOD + 1):
        length = max(_LEAST_REPEATED, _LEAST_REPEATS * period)
        if len(ids) < length:
            continue
        tail = ids[-length:]
        if all(tail[i] == tail[i + period] for i in range(length - period)):
            return True
    return False


def _ending(ids: list[int], prompting: Prompting) -> str | None:
    """Why a row ends with its newest token, or None."""
    special = prompting.ids
    last = ids[-1]
    if last == special["turn_end"]:
        return "stopped"
    if last in prompting.routes:
        # A route token named while thinking is a word, not a decision.
        opened = _last_index(ids, special["think_start"])
        return None if opened > _last_index(ids, special["think_end"]) else "stopped"
    return "repeating" if repeats(ids) else None


def _last_index(ids: Sequence[int], token: int) -> int:
    return max((i for i, value in enumerate(ids) if value == token), default=-1)


def _choose(logits: torch.Tensor, choice: Choice, generators: Sequence[np.random.Generator]) -> list[int]:
    """Next token of each row; sampling inverts the cumulative distribution in float64 on the host."""
    if choice.temperature == 0:
        greedy: list[int] = logits.argmax(-1).tolist()
        return greedy
    probabilities = torch.softmax(logits.double() / choice.temperature, -1).cpu()
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    cumulative = ordered.cumsum(-1)
    picked = []
    for row, generator in enumerate(generators):
        kept = int((cumulative[row] < choice.top_p).sum()) + 1
        kept = min(kept, cumulative.shape[1])
        level = generator.random() * float(cumulative[row, kept - 1])
        index = min(int((cumulative[row] <= level).sum()), kept - 1)
        picked.append(int(order[row, index]))
    return picked
