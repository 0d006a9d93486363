"""Prompts in tokens: the ChatML turns around an instruction, and the tokens of a thought."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.engine.s1omni.checkpoint.config import TOKENIZER_NAME, PromptingConfig
from napari_s1omni.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Token ids of everything before the thought."""

    ids: tuple[int, ...]
    prefix: int
    """Number of template tokens before the user's content. They never condition the editor."""


class PromptTokenizer:
    """Encodes prompts and decodes thoughts with the tokenizer of a checkpoint.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
    config : PromptingConfig
        Names of the special tokens, and the system prompt.

    Raises
    ------
    CheckpointError
        If the tokenizer lacks one of the special tokens.
    """

    def __init__(self, tokenizer: Any, config: PromptingConfig) -> None:
        self.tokenizer = tokenizer
        self.config = config
        names = {name: getattr(config, name) for name in type(config).model_fields if name not in _NOT_TOKENS}
        found = {name: tokenizer.token_to_id(token) for name, token in names.items()}
        missing = [names[name] for name, token_id in found.items() if token_id is None]
        if missing:
            raise CheckpointError(
                f"the tokenizer lacks {', '.join(missing)}",
                "one token for each special name of the checkpoint's 'prompting'",
                "correct the names or use the tokenizer that belongs to the weights",
                tokens=missing,
            )
        self.ids: dict[str, int] = found
        """Id of each special token, by its field name in :class:`PromptingConfig`."""
        self.routes: dict[int, str] = {
            token_id: token
            for token in (config.edit_route, config.generation_route, *config.other_routes)
            if (token_id := tokenizer.token_to_id(token)) is not None
        }
        """Name of each route token, by its id."""
        self._reserved = [*names.values(), *config.other_routes]

    @classmethod
    def read(cls, folder: Path, config: PromptingConfig) -> PromptTokenizer:
        """Read ``tokenizer.json`` of a checkpoint folder."""
        from tokenizers import Tokenizer

        path = folder / TOKENIZER_NAME
        try:
            tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(
                f"{path} cannot be read: {error}",
                "a tokenizer of the tokenizers library",
                "fetch it again",
                file=str(path),
            ) from None
        return cls(tokenizer, config)

    def prompt(self, instruction: str, pads: int | None) -> PromptTokens:
        """Return all tokens before the assistant's first word.

        Parameters
        ----------
        instruction : str
            The user's words. Special tokens in it are encoded as plain text.
        pads : int or None
            Placeholder tokens of the source image; None if there is no image.
        """
        ids = self.ids
        system = self.config.system_prompt
        head = (
            [ids["turn_start"], *self._text(f"system\n{system}"), ids["turn_end"], *self._text("\n")] if system else []
        )
        head += [ids["turn_start"], *self._text("user\n")]
        image = [] if pads is None else [ids["vision_start"], *[ids["image_pad"]] * pads, ids["vision_end"]]
        tail = [ids["turn_end"], *self._text("\n"), ids["turn_start"], *self._text("assistant\n")]
        return PromptTokens((*head, *image, *self._text(instruction.strip()), *tail), len(head))

    def conversation(self, turns: Sequence[tuple[str, Sequence[str | int]]]) -> tuple[int, ...]:
        """Return all tokens of a conversation before the assistant's next word.

        Parameters
        ----------
        turns : sequence of (role, parts)
            A part is text, in which special tokens are plain text, or the number of placeholders of an image.
        """
        ids = self.ids
        found: list[int] = []
        for role, parts in turns:
            found += [ids["turn_start"], *self._text(f"{role}\n")]
            for part in parts:
                if isinstance(part, int):
                    found += [ids["vision_start"], *[ids["image_pad"]] * part, ids["vision_end"]]
                else:
                    found += self._text(part)
            found += [ids["turn_end"], *self._text("\n")]
        return (*found, ids["turn_start"], *self._text("assistant\n"))

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the tokens of an assistant's text, in which special tokens are recognised."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, including special ones."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def close_turn(self, ids: Sequence[int], end_token: bool) -> tuple[int, ...]:
        """Return the tokens of a thought as they enter the condition, with or without the end-of-turn token."""
        end = self.ids["turn_end"]
        body = tuple(ids[:-1]) if ids and ids[-1] == end else tuple(ids)
        return (*body, end) if end_token else body

    def route(self, ids: Sequence[int], text: str) -> str | None:
        """Return the route of a thought: its last route token, else the last one spelled out in its text."""
        for token_id in reversed(ids):
            if token_id in self.routes:
                return self.routes[token_id]
        found = re.findall("|".join(re.escape(name) for name in self.routes.values()), text)
        return found[-1] if found else None

    def _text(self, text: str) -> tuple[int, ...]:
        for name in self._reserved:
            text = text.replace(name, f"{name[0]} {name[1:]}")
        return self.encode(text)


_NOT_TOKENS = {"system_prompt", "other_routes"}
