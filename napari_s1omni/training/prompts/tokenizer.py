"""nano's tokenizer: byte-level BPE of about 1,500 tokens, in which every number of a trace is a single token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from napari_s1omni.training.prompts.numbers import TRACE_NUMBERS

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
"""Names as in Qwen3-VL and S1-Omni; this tokenizer has its own ids for them."""

_PIECES = r" ?\d+| ?\p{L}+|\n| ?[^\s\p{L}\d]+|\s+"


def train_tokenizer(corpus: Iterable[str], size: int) -> Any:
    """Train a tokenizer on instructions and traces.

    Parameters
    ----------
    corpus : iterable of str
    size : int
        Size of the vocabulary, including special tokens.

    Returns
    -------
    tokenizers.Tokenizer
        Every number of :data:`~napari_s1omni.training.prompts.numbers.TRACE_NUMBERS` after a space is a single token.
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
    tokenizer.train_from_iterator(_with_numbers(corpus), trainer)
    return tokenizer


def number_token_ids(tokenizer: Any) -> list[int]:
    """Return the token id of each trace number with the space before it, as in " 7"."""
    return [tokenizer.encode(f" {n}", add_special_tokens=False).ids[0] for n in TRACE_NUMBERS]


def _with_numbers(corpus: Iterable[str]) -> Iterable[str]:
    """Yield the corpus, then the trace numbers often enough that each becomes a single token."""
    yield from corpus
    prefixes = Counter(f" {n}"[:end] for n in TRACE_NUMBERS for end in range(2, len(f" {n}") + 1))
    yield from (text for text, count in prefixes.items() for _ in range(2000 * count))
