"""MME-RealWorld, -CN and -Lite (Zhang et al., 2024): large real images, five options."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.files import encoded_image, read_rows, read_table, required
from napari_s1omni.evaluation.questions.item import Item, LoadImage, Score
from napari_s1omni.evaluation.questions.letters import mme_realworld_letter
from napari_s1omni.evaluation.questions.scoring import answered, scored, strict_score

_LETTERS = "ABCDE"
_ENGLISH = (
    "The choices are listed below:\n",
    "Select the best answer to the above multiple-choice question based on the image. Respond with only the letter "
    "(A, B, C, D, or E) of the correct option. \nThe best answer is:",
)
_CHINESE = (
    "选项如下所示:\n",
    "根据图像选择上述多项选择题的最佳答案。只需回答正确选项的字母\uff08A, B, C, D 或 E\uff09。\n最佳答案为\uff1a",
)


class MMERealWorld:
    """``mme_realworld_lite.tsv``, or a folder of .json with images in base64."""

    name: ClassVar[str] = "mme-realworld"
    title: ClassVar[str] = "MME-RealWorld, -CN or -Lite"
    protocol: ClassVar[str] = (
        "MME-RealWorld: the base64 release, a folder of .json (Chinese if its name ends with CN) or "
        "mme_realworld_lite.tsv, with index, image, question, multi-choice options, answer, category, l2-category. "
        "Published score: the first capital of A to E in the answer, so that an empty answer, a failed call and "
        "'Answer: C' count as A; answered questions only. Strict score: the letter that the answer states; all "
        "questions count."
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        paths = [place] if place.is_file() else sorted(place.glob("*.json"))
        if not paths:
            raise SourceError(f"{place} is not MME-RealWorld", "mme_realworld_lite.tsv, or a folder with .json files")
        begin, end = _CHINESE if _is_chinese(place) else _ENGLISH
        for path in paths:
            if path.suffix == ".tsv":
                for row in read_table(path):
                    if not row.images:
                        raise SourceError(f"{row.where} has no image", "one in base64")
                    yield _item(row.cells, row.where, row.image(0), begin, end)
                continue
            for listed in read_rows(path):
                (image,) = required(listed, ("image",), f"a question of {path}")
                where = f"question {listed.get('index')} of {path}"
                yield _item(listed, where, encoded_image(str(image), where), begin, end)

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the share that VLMEvalKit reports as Overall, and that of each task and part of it."""
        counted = answered(items, answers)
        read = {item.id: mme_realworld_letter(answers[item.id]) for item in counted}
        return scored(counted, read, lambda item, letter: letter == item.answer)

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return our score."""
        return strict_score(items, answers)


def _is_chinese(place: Path) -> bool:
    stem = place.stem if place.is_file() else place.name
    return stem.lower().endswith("cn") or place.parent.name.lower().endswith("-cn")


def _item(row: Mapping[str, Any], where: str, load: LoadImage, begin: str, end: str) -> Item:
    names = ("index", "question", "multi-choice options", "answer")
    index, question, given, answer = required(row, names, where)
    if isinstance(given, str):
        try:
            given = ast.literal_eval(given)
        except (ValueError, SyntaxError, RecursionError) as error:
            raise SourceError(f"the options of {where} are no list: {error}") from None
    options = dict(zip(_LETTERS, (str(option)[4:] for option in given), strict=False))
    category = str(row.get("category", ""))
    task, _, subtask = category.partition("/")
    groups = {"task": task, "subtask": subtask, "category": str(row.get("l2-category", ""))}
    prompt = f"{question} {begin}{chr(10).join(map(str, given))}\n{end}"
    return Item(str(index), (0, prompt), str(answer), (load,), options, {k: v for k, v in groups.items() if v})
