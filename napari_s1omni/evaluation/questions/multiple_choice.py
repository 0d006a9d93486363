"""Questions with options in VLMEvalKit's tables: HR-Bench, V*, GMAI-MMBench, MMMU."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.files import image_file, read_table, required
from napari_s1omni.evaluation.questions.item import Item, Part, Score
from napari_s1omni.evaluation.questions.letters import REFUSED, vlmevalkit_letter
from napari_s1omni.evaluation.questions.scoring import answered, scored, share, strict_score

_GROUPS = ("category", "l2-category", "cycle_category", "split")
_EXACT = (
    "Published score: VLMEvalKit's exact matching, which counts answered questions only. Strict score: the letter that "
    "the answer states; all questions count."
)


class TableOfChoices:
    """A table with index, question, A, B, ..., answer, image (base64) and category."""

    name: ClassVar[str] = "choices"
    title: ClassVar[str] = "A table of VLMEvalKit"
    protocol: ClassVar[str] = f"A table with index, question, options A, B, ..., answer, image (base64). {_EXACT}"

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        for row in read_table(place):
            cells = row.cells
            (index,) = required(cells, ("index",), f"a row of {place}")
            question, answer = required(cells, ("question", "answer"), row.where)
            options = {letter: cells[letter] for letter in string.ascii_uppercase if letter in cells}
            images = tuple(row.image(i) for i in range(row.images))
            if not images and (path := cells.get("image_path")):
                images = (image_file(place.parent / path),)
            prompt = choice_prompt(question, options, cells.get("hint", ""))
            groups = {name: cells[name] for name in _GROUPS if name in cells}
            yield Item(str(index), placed(prompt, len(images)), answer, images, options, groups)

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the share of answers in which exact matching finds the right letter."""
        counted = answered(items, answers)
        read = {item.id: vlmevalkit_letter(answers[item.id], item.options) or REFUSED for item in counted}
        return scored(counted, read, lambda item, letter: letter == item.answer)

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return our score."""
        return strict_score(items, answers)


class HRBench(TableOfChoices):
    """HR-Bench 4K and 8K (Wang et al., 2024): each question in four orders of its options."""

    name: ClassVar[str] = "hrbench"
    title: ClassVar[str] = "HR-Bench 4K or 8K"
    protocol: ClassVar[str] = (
        "HR-Bench: a table with index, question, answer, category (single or cross), A to D, cycle_category, image. "
        "Published score: VLMEvalKit's exact matching, the mean over each of the four orders of the options, then "
        "the mean of these four. Strict score: the letter that the answer states; all questions count."
    )

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the mean over the orders of the options, as VLMEvalKit's table has it."""
        plain = super().published(items, answers)
        counted = answered(items, answers)
        cycles = sorted({item.groups.get("cycle_category", "") for item in counted})
        table: dict[str, float] = {}
        sums: dict[str, float] = {}
        for cycle in cycles:
            own = [item for item in counted if item.groups.get("cycle_category", "") == cycle]
            kinds = {"all": own}
            for item in own:
                kinds.setdefault(item.groups.get("category", ""), []).append(item)
            for kind, members in kinds.items():
                accuracy = share(plain.right[item.id] for item in members)
                table[f"{cycle} {kind}"] = accuracy
                sums[kind] = sums.get(kind, 0.0) + accuracy
        # A category that an order lacks still counts for it, as in the published table.
        table |= {f"Average {kind}": total / len(cycles) for kind, total in sums.items()}
        overall = table.get("Average all")
        return Score(overall, plain.counted, plain.correct, table, plain.letters, plain.right, plain.note)


class GMAI(TableOfChoices):
    """GMAI-MMBench (Chen et al., 2024): medical images."""

    name: ClassVar[str] = "gmai-mmbench"
    title: ClassVar[str] = "GMAI-MMBench"
    protocol: ClassVar[str] = f"GMAI-MMBench: VLMEvalKit's GMAI_mm_bench_VAL.tsv. {_EXACT}"


class MMMU(TableOfChoices):
    """MMMU (Yue et al., 2024): images within the question, and some open questions."""

    name: ClassVar[str] = "mmmu"
    title: ClassVar[str] = "MMMU"
    protocol: ClassVar[str] = (
        "MMMU: VLMEvalKit's MMMU_DEV_VAL.tsv; '<image 1>' marks the place of an image. Published score: exact "
        "matching; an open question becomes a choice between its answer (A) and 'Other Answers' (B). Strict score: "
        "the letter, or for an open question the same words or value; all questions count."
    )

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return the score after open questions became choices."""
        made = [item if item.options else _as_choice(item) for item in items]
        return super().published(made, answers)


class VStar(TableOfChoices):
    """V* (Wu and Xie, 2023): small objects in large photographs, as ``test_questions.jsonl``, a folder, or a table."""

    name: ClassVar[str] = "vstar"
    title: ClassVar[str] = "V*"
    protocol: ClassVar[str] = (
        "V*: test_questions.jsonl with image, text, category, label, question_id beside its images; or the original "
        "folders with an image and a .json of the same name (question, options with the right one first; shuffled "
        f"here by the name); or VLMEvalKit's table. {_EXACT}"
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        if place.suffix == ".tsv":
            yield from super().items(place)
            return
        listed = place if place.is_file() else place / "test_questions.jsonl"
        if listed.is_file():
            yield from _lines(listed)
            return
        described = sorted(path for path in place.rglob("*.json") if path.parent.name in _VSTAR_FOLDERS)
        if not described:
            raise SourceError(
                f"{place} is not V*", "test_questions.jsonl, or folders direct_attributes and relative_position"
            )
        yield from map(_original, described)


_VSTAR_FOLDERS = ("direct_attributes", "relative_position")


def choice_prompt(question: str, options: Mapping[str, str], hint: str = "") -> str:
    """Return VLMEvalKit's prompt of a question with options."""
    lines = [f"Hint: {hint}\n" if hint else "", f"Question: {question}\n"]
    if options:
        lines += ["Options:\n", *(f"{letter}. {text}\n" for letter, text in options.items())]
        lines.append("Please select the correct answer from the options above. \n")
    return "".join(lines)


def placed(prompt: str, images: int) -> tuple[Part, ...]:
    """Return a prompt with its images where ``<image N>`` marks them; before the words if nothing does."""
    pieces = re.split(r"<image (\d+)>", prompt)
    if len(pieces) == 1 or not images:
        return (*range(images), prompt)
    parts: list[Part] = []
    for i, piece in enumerate(pieces):
        if i % 2 and 1 <= int(piece) <= images:
            parts.append(int(piece) - 1)
        elif piece and not i % 2:
            parts.append(piece)
    return tuple(parts)


def _as_choice(item: Item) -> Item:
    options = {"A": item.answer, "B": "Other Answers"}
    return Item(item.id, item.prompt, "A", item.images, options, item.groups)


def _lines(path: Path) -> Iterator[Item]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        names = ("image", "text", "label")
        image, text, label = map(str, required(row, names, f"line {number + 1} of {path}"))
        options = {letter: words.strip() for letter, words in re.findall(r"\(([A-Z])\)\s*([^\n]*)", text)}
        yield Item(
            str(row.get("question_id", number)),
            (0, text),
            label,
            (image_file(path.parent / image),),
            options,
            {"category": str(row.get("category", ""))},
        )


def _original(path: Path) -> Item:
    row = json.loads(path.read_text(encoding="utf-8"))
    question, given = required(row, ("question", "options"), str(path))
    # The right option is the first of the file: its place must not tell it.
    shift = sum(path.stem.encode()) % len(given)
    order = [*given[shift:], *given[:shift]]
    options = dict(zip(string.ascii_uppercase, map(str, order), strict=False))
    right = string.ascii_uppercase[(len(given) - shift) % len(given)]
    image = next((path.with_suffix(end) for end in (".jpg", ".png", ".jpeg") if path.with_suffix(end).is_file()), path)
    prompt = choice_prompt(str(question), options)
    name = f"{path.parent.name}/{path.stem}"
    return Item(name, (0, prompt), right, (image_file(image),), options, {"category": path.parent.name})
