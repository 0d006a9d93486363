"""Which option an answer chooses: as two published programs find it, and as we do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

REFUSED = "Z"
"""Letter of an answer that refuses, in VLMEvalKit."""
_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_SIGNS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_STATED = re.compile(r"(?:correct\s+)?answer\s+is\s+\**([ABCD])\**", re.I)
_PREFIXES = (
    # Two pairs run together in the published list, where commas are missing.
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)|^.*?</think>", re.S)
_CHOSEN = (
    r"\\boxed\s*\{\s*(?:\\(?:text|mathrm|textbf|mathbf)\s*\{\s*)?\(?%s\)?[.:]?\s*\}",
    r"<answer>\s*\(?%s\)?[.:]?\s*(?:</answer>|$)",
    r"(?i:\banswer)\s*(?:(?i:is|would be)\s*)?[:=]?\s*(?:(?i:option)\s+)?\**\s*\(?%s\)?(?![\w'\u2019-])",
)


def vlmevalkit_letter(text: str, options: Mapping[str, str]) -> str:
    """Return the letter that VLMEvalKit's exact matching finds; ``Z`` if the answer refuses, empty if it finds none.

    A letter counts if it is the only one among the words and stands among the last four of them, or after "answer is".
    Otherwise the one option whose text is part of the answer counts.

    Parameters
    ----------
    text : str
    options : mapping of letter to text
    """
    return _option(text, options) or _option_text(text, options)


def _option(text: str, options: Mapping[str, str]) -> str:
    if _FAILED in text:
        return ""
    if any(refusal in text for refusal in _REFUSALS):
        return REFUSED
    words = text.translate(_SIGNS).split()
    found = [letter for letter in options if letter in words]
    if len(found) == 1 and words.index(found[0]) > len(words) - 5:
        return found[0]
    if not found and REFUSED in words:
        return REFUSED
    stated = _STATED.search(text)
    return stated[1].upper() if stated and stated[1].upper() in options else ""


def _option_text(text: str, options: Mapping[str, str]) -> str:
    lowered = text.lower()
    if len(lowered) > 2 * sum(map(len, options.values())):
        return ""
    found = [letter for letter, words in options.items() if words.lower() in lowered]
    return found[0] if len(found) == 1 else ""


def mme_realworld_letter(text: str) -> str:
    """Return the letter that the scoring of MME-RealWorld finds in VLMEvalKit; empty if it finds none.

    It is the first capital of A to E anywhere, so that "Answer: C" is A. Without one, an answer that is part of
    ``(A)`` counts as A, which an empty answer is.
    """
    text = text.strip()
    for prefix in _PREFIXES:
        text = text.replace(prefix, "")
    found = re.search("[ABCDE]", text)
    if len(text.split()) > 10 and found is None:
        return ""
    if found is not None:
        return found[0]
    return next((letter for letter in "ABCDE" if text.lower() in f"({letter.lower()})"), "")


def strict_letter(text: str, letters: Iterable[str]) -> str:
    """Return the letter that an answer states; empty if it states none, or leaves it open.

    Its reasoning is left out. The last boxed letter, ``<answer>X</answer>`` or "answer: X" counts; else an answer that
    begins with a letter as a list does, ``(X)``, ``X.`` or ``X:``, or is a letter alone.

    Parameters
    ----------
    text : str
    letters : iterable of str
        Letters of the options.
    """
    known = "".join(letters)
    if not known:
        return ""
    said = _THOUGHT.sub("", text).strip().strip("*_` \n")
    one = f"([{re.escape(known)}])"
    stated = [(m.start(), m[1]) for pattern in _CHOSEN for m in re.finditer(pattern.replace("%s", one), said)]
    if stated:
        return max(stated)[1]
    alone = re.fullmatch(rf"(?:(?i:option|choice)\s+)?\(?{one}\)?[.:]?", said)
    begun = re.match(rf"(?:\({one}\)|{one}[.:)])(?:\*\*)?\s", said + " ")
    found = alone or begun
    return next((group for group in found.groups() if group), "") if found else ""
