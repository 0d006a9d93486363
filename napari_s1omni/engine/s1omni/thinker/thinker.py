"""The thinker: it writes thoughts about tiles, and turns thoughts into the states that condition the editor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.protocol import OnText, Thought
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling
from napari_s1omni.engine.s1omni.thinker.decoding import HiddenStates, ImagePrompts, decode
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry, patchify
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer, PromptTokens
from napari_s1omni.engine.s1omni.thinker.streaming import TextStream
from napari_s1omni.errors import ThoughtError

RETRY_TEMPERATURE = 0.7
"""Lowest temperature of the second attempt at a thought that was endless or repeating, since greedy decoding would fail
again. The second attempt has another seed, in case the first was sampled too."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Hidden states of a batch, padded to one length."""

    states: torch.Tensor
    """(B, L, width of the thinker)."""
    mask: torch.Tensor
    """bool (B, L); False for padding. The editor always gets it, even without padding."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The whole token sequence of one tile."""

    prompt: PromptTokens
    body: tuple[int, ...]
    """Tokens of the thought as they enter the condition."""

    @property
    def ids(self) -> tuple[int, ...]:
        return (*self.prompt.ids, *self.body)


class Thinker:
    """Qwen3-VL with its own decoding loop.

    Every batch is filled up with empty tiles to `micro_batch` rows, so that the result for a tile does not depend on
    the number of other tiles in the batch.

    Parameters
    ----------
    backbone : Qwen3VLForConditionalGeneration
    prompting : PromptTokenizer
    config : CheckpointConfig
    geometry : PatchGeometry
    """

    def __init__(
        self, backbone: Any, prompting: PromptTokenizer, config: CheckpointConfig, geometry: PatchGeometry
    ) -> None:
        self.backbone = backbone
        self.prompting = prompting
        self.config = config
        self.geometry = geometry
        self.micro_batch = config.engine.micro_batch
        """Rows of every batch; lowered when the device runs out of memory."""
        self._captured: dict[bytes, torch.Tensor] = {}

    @torch.inference_mode()
    def think(
        self,
        images: torch.Tensor,
        instruction: str,
        sampling: Sampling,
        on_text: OnText | None = None,
        begun: Sequence[str] = (),
    ) -> list[Thought]:
        """Return one thought per tile.

        Parameters
        ----------
        images : float tensor (B, 3, H, W)
            Model range.
        instruction : str
        sampling : Sampling
        on_text : callable, optional
            Receives (index, piece) while the text is written.
        begun : sequence of B str, optional
            How each thought begins, where that is known before.

        Raises
        ------
        ThoughtError
            If a thought is endless or repeating at both attempts; ``facts['tile']`` is the index of its tile.
        """
        self._captured.clear()
        thoughts: list[Thought] = []
        for start in range(0, len(images), self.micro_batch):
            part = images[start : start + self.micro_batch]
            given = [self.prompting.encode(text) for text in begun[start : start + self.micro_batch]]
            thoughts += self._think_batch(part, start, instruction, sampling, on_text, given)
        return thoughts

    def _think_batch(
        self,
        images: torch.Tensor,
        start: int,
        instruction: str,
        sampling: Sampling,
        on_text: OnText | None,
        begun: Sequence[Sequence[int]],
    ) -> list[Thought]:
        ids, first = self._write(images, start, instruction, sampling, 0, on_text, begun)
        again = [i for i, ending in enumerate(first) if ending != "stopped"]
        for i in again:
            one = slice(i, i + 1)
            (new,), (ending,) = self._write(images[one], start + i, instruction, sampling, 1, on_text, begun[one])
            if ending != "stopped":
                text = self.prompting.decode(new)
                raise ThoughtError(
                    f"the thought of tile {start + i} of the batch is {ending} after {len(new)} tokens, twice",
                    "a thought that ends with a route token",
                    "reword the request, or raise max_new_tokens if the thought was cut short",
                    tile=start + i,
                    ending=ending,
                    text=text,
                )
            ids[i] = new
        return [self._thought(row, instruction, ending) for row, ending in zip(ids, first, strict=True)]

    def _thought(self, ids: Sequence[int], instruction: str, first: str) -> Thought:
        text = self.prompting.decode(ids)
        runaway = "" if first == "stopped" else first
        return Thought(text, tuple(ids), self.prompting.route(ids, text), instruction, runaway)

    def _write(
        self,
        images: torch.Tensor,
        start: int,
        instruction: str,
        sampling: Sampling,
        attempt: int,
        on_text: OnText | None,
        begun: Sequence[Sequence[int]],
    ) -> tuple[list[list[int]], list[str]]:
        """Return tokens and endings for at most a micro-batch; keeps the states if they will condition the editor."""
        temperature = max(RETRY_TEMPERATURE, sampling.temperature) if attempt else sampling.temperature
        count = len(images)
        images = self._fill_batch(images)
        prompt = self._prompt(instruction, images)
        streams = [TextStream(self.prompting) for _ in range(count)]

        def show(row: int, token: int) -> None:
            if on_text is not None and row < count and (piece := streams[row].add(token)):
                on_text(start + row, piece)

        seeds = tuple(_seed(sampling.seed, image, attempt) for image in images) if temperature else ()
        capture = self.config.condition.mode == "capture"
        with HiddenStates(self.backbone, self.config.condition.final_norm == "pre") as probe:
            decoded = decode(
                self.backbone,
                self.prompting,
                ImagePrompts(prompt.ids, *self._patches(images)),
                choice=TokenSampling(temperature, sampling.top_p, seeds, self.max_new_tokens(sampling)),
                on_token=None if on_text is None else show,
                begun=[*begun, *[()] * (len(images) - len(begun))] if begun else (),
                probe=probe if capture else None,
            )
        if decoded.states is not None:
            for i in range(count):
                self._captured[_key(images[i], prompt, decoded.ids[i])] = decoded.states[i]
        return decoded.ids[:count], decoded.endings[:count]

    @torch.inference_mode()
    def condition(
        self, images: torch.Tensor | None, thoughts: Sequence[Thought], sampling: Sampling, limit: int | None = None
    ) -> Condition:
        """Return the states for thoughts, from their tokens, or from their text if they have no tokens.

        Parameters
        ----------
        images : float tensor (B, 3, h, w) or None
            Source tiles in model range, at most a micro-batch; None if an image is drawn from words alone.
        thoughts : sequence of B Thought
        sampling : Sampling
            ``max_new_tokens`` fixes the padded length, so that it does not depend on the batch.
        limit : int, optional
            Largest number of tokens the editor can take. A longer sequence loses first its image placeholders, then the
            oldest tokens of its thought; the instruction and the end of the thought, with answer and route, stay.
        """
        count = len(thoughts)
        rows = [self._row(thought, images) for thought in thoughts]
        rows += [rows[0]] * (self.micro_batch - count)
        filled = None if images is None else self._fill_batch(images)
        if images is not None and self.config.condition.mode == "capture":
            states = self._capture(filled, rows, thoughts)
        else:
            states = self._reencode(filled, rows, sampling)
        return self._pad(states, rows[:count], sampling, limit)

    @torch.inference_mode()
    def empty_condition(self, sampling: Sampling, limit: int | None = None) -> Condition:
        """Return the states for an empty request without a thought, one row: the negative prompt of guidance."""
        row = _Sequence(self._prompt("", None), ())
        return self._pad(self._reencode(None, [row] * self.micro_batch, sampling), [row], sampling, limit)

    def _pad(self, states: torch.Tensor, rows: Sequence[_Sequence], sampling: Sampling, limit: int | None) -> Condition:
        """Select the states that condition the editor, and pad all rows to one length."""
        kept = [self._kept(row, limit) for row in rows]
        length = max(map(len, kept))
        if self.micro_batch > 1:
            length = max(length, self._fixed_length(rows[0], sampling))
        length = min(-(-length // 8) * 8, limit or length + 8)
        out = states.new_zeros(len(rows), length, states.shape[-1])
        mask = torch.zeros(len(rows), length, dtype=torch.bool, device=states.device)
        for i, positions in enumerate(kept):
            out[i, : len(positions)] = states[i, positions]
            mask[i, : len(positions)] = True
        return Condition(out, mask)

    def max_new_tokens(self, sampling: Sampling) -> int:
        """Return the largest number of tokens of a thought."""
        return sampling.max_new_tokens or self.config.sampling.max_new_tokens

    def _row(self, thought: Thought, images: torch.Tensor | None) -> _Sequence:
        instruction, text, ids = thought.prompt, thought.text, thought.token_ids
        if not ids and not instruction:
            instruction, text = text, thought.route or self.prompting.config.edit_route
        prompt = self._prompt(instruction, images)
        if images is not None and self.config.condition.mode == "reencode" and not self.config.condition.image_pads:
            pad = self.prompting.ids["image_pad"]
            prompt = PromptTokens(tuple(i for i in prompt.ids if i != pad), prompt.prefix)
        body = self.prompting.close_turn(ids or self.prompting.encode(text), self.config.condition.end_token)
        return _Sequence(prompt, body)

    def _reencode(self, images: torch.Tensor | None, rows: Sequence[_Sequence], sampling: Sampling) -> torch.Tensor:
        """Return the states of finished sequences; padding is on the right, where causal attention does not reach."""
        width = max(len(row.ids) for row in rows)
        if self.micro_batch > 1:
            width = max(width, rows[0].prompt.prefix + self._fixed_length(rows[0], sampling))
        end = self.prompting.ids["turn_end"]
        ids = torch.tensor([[*row.ids, *[end] * (width - len(row.ids))] for row in rows], device=self.backbone.device)
        seen: dict[str, torch.Tensor] = {
            "position_ids": torch.arange(width, device=ids.device).expand(3, len(rows), -1)
        }
        if images is not None and self.config.condition.mode == "reencode_with_pixels":
            pixel_values, grid = self._patches(images)
            kinds = (ids == self.prompting.ids["image_pad"]).int()
            positions, _ = self.backbone.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid)
            seen = {"position_ids": positions, "pixel_values": pixel_values, "image_grid_thw": grid}
        with HiddenStates(self.backbone, self.config.condition.final_norm == "pre") as probe:
            return probe.take(self.backbone.model(input_ids=ids, use_cache=False, **seen).last_hidden_state)

    def _capture(self, images: Any, rows: Sequence[_Sequence], thoughts: Sequence[Thought]) -> torch.Tensor:
        """States of the decoding itself: those still at hand, else decoded again along the stored tokens."""
        bodies = [row.body for row in rows]
        keys = [_key(images[i], rows[i].prompt, thoughts[i].token_ids) for i in range(len(thoughts))]
        if all(key in self._captured for key in keys):
            return torch.nn.utils.rnn.pad_sequence([self._captured[key] for key in keys], batch_first=True)
        if len({row.prompt for row in rows}) > 1:
            one = [
                self._capture(images[[i] * len(rows)], [rows[i]] * len(rows), [thoughts[i]])[0]
                for i in range(len(thoughts))
            ]
            return torch.nn.utils.rnn.pad_sequence(one, batch_first=True)
        with HiddenStates(self.backbone, self.config.condition.final_norm == "pre") as probe:
            decoded = decode(
                self.backbone,
                self.prompting,
                ImagePrompts(rows[0].prompt.ids, *self._patches(images)),
                choice=TokenSampling(max_new_tokens=max(map(len, bodies))),
                forced=bodies,
                probe=probe,
            )
        assert decoded.states is not None  # a probe was given
        return decoded.states

    def _kept(self, row: _Sequence, limit: int | None) -> list[int]:
        """Return the positions of a sequence that enter the condition."""
        ids = row.ids
        kept = list(range(row.prompt.prefix, len(ids)))
        if limit is None or len(kept) <= limit:
            return kept
        pad = self.prompting.ids["image_pad"]
        kept = [i for i in kept if ids[i] != pad]
        excess = len(kept) - limit
        if excess <= 0:
            return kept
        first = sum(i < len(row.prompt.ids) for i in kept)
        if first + excess >= len(kept):
            raise ThoughtError(
                f"the instruction alone takes {first} tokens",
                f"the editor takes {limit} at this tile size",
                "shorten the request or use smaller tiles",
                tokens=first,
                limit=limit,
            )
        return kept[:first] + kept[first + excess :]

    def _fixed_length(self, row: _Sequence, sampling: Sampling) -> int:
        return len(row.prompt.ids) - row.prompt.prefix + self.max_new_tokens(sampling) + 1

    def _prompt(self, instruction: str, images: torch.Tensor | None) -> PromptTokens:
        if images is None:
            return self.prompting.prompt(instruction, None)
        height, width = images.shape[-2:]
        return self.prompting.prompt(instruction, self.geometry.tokens(height, width, self.config.vision))

    def _patches(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        device = self.backbone.device
        values, grid = patchify(images.to(device), self.geometry, self.config.vision)
        return values.to(self.backbone.dtype), grid

    def _fill_batch(self, images: torch.Tensor) -> torch.Tensor:
        missing = self.micro_batch - len(images)
        return torch.cat([images, images.new_zeros(missing, *images.shape[1:])]) if missing > 0 else images


def _digest(image: torch.Tensor) -> bytes:
    return hashlib.blake2b(image.float().cpu().numpy().tobytes(), digest_size=16).digest()


def _seed(seed: int, image: torch.Tensor, attempt: int) -> int:
    return (attempt << 192) + (seed << 128) + int.from_bytes(_digest(image), "little")


def _key(image: torch.Tensor, prompt: PromptTokens, ids: Sequence[int]) -> bytes:
    return hashlib.blake2b(_digest(image) + repr((prompt.ids, tuple(ids))).encode(), digest_size=16).digest()
