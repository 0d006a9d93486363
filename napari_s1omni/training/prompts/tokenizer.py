"""The tokenizer of nano: byte-level BPE of about 1,500 tokens, in which a number of the trace is one token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from napari_s1omni.training.prompts.prompt_templates import TRACE_NUMBERS

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<think>",
    "</think>",
    "<image_edit>",
    "<image_gen>",
)
"""Names as in Qwen3-VL and S1-Omni; their ids are this tokenizer's own."""

_PIECES = r" ?\d+| ?\p{L}+|\n| ?[^\s\p{L}\d]+|\s+"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, as :class:`napari_s1omni.engine.s1omni.thinker.prompting.Prompting` writes it."""


def train_tokenizer(corpus: Iterable[str], size: int) -> Any:
    """Train on instructions and traces.

    Parameters
    ----------
    corpus : iterable of str
    size : int
        Vocabulary, special tokens included.

    Returns
    -------
    tokenizers.Tokenizer
        Every number of :data:`napari_s1omni.training.prompts.prompt_templates.TRACE_NUMBERS` after a space is one token.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_weighted(corpus), trainer)
    return tokenizer


def number_token_ids(tokenizer: Any) -> list[int]:
    """Return the token of each grid number as a trace writes it: " 7" and, for the first in a piece, the same."""
    return [tokenizer.encode(f" {n}", add_special_tokens=False).ids[0] for n in TRACE_NUMBERS]


def _weighted(corpus: Iterable[str]) -> Iterable[str]:
    """Yield the corpus, then the grid numbers often enough that each becomes one token."""
    yield from corpus
    prefixes = Counter(f" {n}"[:end] for n in TRACE_NUMBERS for end in range(2, len(f" {n}") + 1))
    yield from (text for text, count in prefixes.items() for _ in range(2000 * count))
