"""MATH-V (MathVision): mathematical questions with a picture (Wang et al., 2024)."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.files import image_file, read_rows, required
from napari_s1omni.evaluation.questions.item import Item, Score
from napari_s1omni.evaluation.questions.letters import strict_letter
from napari_s1omni.evaluation.questions.math_answers import (
    published_answer,
    published_equal,
    strict_answer,
    strict_equal,
)
from napari_s1omni.evaluation.questions.scoring import answered, scored, unread_note

_LISTS = ("test.jsonl", "testmini.jsonl", "data/test.jsonl", "data/testmini.jsonl")
_ASKED = (
    'Please solve the problem step by step and put your answer in one "\\boxed{}". If it is a multiple choice '
    'question, only one letter is allowed in the "\\boxed{}".\n'
)


class MathV:
    """``test.jsonl`` or ``testmini.jsonl`` (also in ``data``) beside ``images``."""

    name: ClassVar[str] = "mathv"
    title: ClassVar[str] = "MATH-V (MathVision)"
    protocol: ClassVar[str] = (
        "MATH-V: test.jsonl or testmini.jsonl with id, question, options, answer, level, subject, image. Published "
        "score: an answer is right if it is the letter or the value of the right option, or equal to it when both "
        "are evaluated and rounded to two digits; only answered questions count. Strict score: the letter, or "
        "exactly the same value; all questions count."
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        found = [place] if place.is_file() else [place / name for name in _LISTS if (place / name).is_file()]
        if not found:
            raise SourceError(f"{place} is not a folder of MATH-V", f"one of {', '.join(_LISTS)} in it")
        path = found[0]
        folder = path.parent.parent if path.parent.name == "data" else path.parent
        for row in read_rows(path):
            names = ("id", "question", "answer", "image")
            name, question, answer, image = map(str, required(row, names, f"a question of {path}"))
            options = dict(zip(string.ascii_uppercase, map(str, row.get("options") or ()), strict=False))
            listed = "".join(f"({letter}) {text}\n" for letter, text in options.items())
            shown = "" if "".join(options.values()) == "ABCDE" else listed
            yield Item(
                name,
                (0, f"{_ASKED}{question}\n{shown}"),
                answer,
                (image_file(folder / image),),
                options,
                {"level": str(row.get("level", "")), "subject": str(row.get("subject", ""))},
            )

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the score of the published program."""
        counted = answered(items, answers)
        read = {item.id: published_answer(answers[item.id]) for item in counted}
        return scored(
            counted,
            read,
            lambda item, said: (
                published_equal(item.answer, said) or published_equal(item.options.get(item.answer, ""), said)
            ),
        )

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return our score: the right letter, or exactly the value of the right option or of the open answer."""
        read = {
            item.id: strict_letter(said, item.options) or strict_answer(said)
            for item in items
            if (said := answers.get(item.id)) is not None
        }
        return scored(
            items,
            read,
            lambda item, said: said == item.answer or strict_equal(item.options.get(item.answer, item.answer), said),
            note=unread_note(items, answers, read),
        )
