"""Benchmarks whose published score needs a second model as its judge: SFE, PHYSICS, VRSBench. Only ours is computed."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.files import image_file, read_rows, read_table, required
from napari_s1omni.evaluation.questions.item import Item, Score
from napari_s1omni.evaluation.questions.scoring import answered, strict_score

_JUDGE = "The published score needs a second model as its judge; it is not computed."
_STRICT = (
    "Strict score: the letter of a choice, or the same words or value; all questions count. It is lower than a "
    "judge's, who also accepts other words."
)
_SFE_BEGIN = "You are an expert in {field} and need to solve the following question. "
_SFE_KINDS = {
    "mcq": "The question is a multiple-choice question. Answer with the option letter from the given choices.",
    "exact_match": "The question is an exact match question. Answer the question using a single word or phrase.",
    "open_ended": "The question is an open-ended question. Answer the question using a phrase.",
}
_PHYSICS_ASKED = (
    "You are a physics expert assistant. Solve the following question step-by-step.\n\n"
    "At the VERY END of your answer, output ONLY the FINAL ANSWER in this format:\n\n"
    "\\[\n\\boxed{your_final_answer_here}\n\\]\n\n"
    " You MUST put the final answer in the \\boxed{} environment.\n"
    ' This applies even if the answer is a text explanation like "The singlet state is lower in energy."\n'
    "Do NOT include multiple boxes.\n"
    "Do NOT include \\boxed anywhere else in your reasoning.\n"
    " The box must appear on the last line of the response.\n\n"
    "WARNING: DO NOT forget to include \\boxed{} with the final answer. Responses without it will be considered "
    "INVALID.\n\n"
    "Example:\n"
    "Question: What is the energy difference between n=2 and n=1 in hydrogen?\n"
    "Answer: The energy levels are E_n = -13.6 / n\u00b2 (in eV).\n"
    "E_2 = -13.6 / 4 = -3.4 eV\n"
    "E_1 = -13.6 eV\n"
    "\u0394E = 13.6 - 3.4 = 10.2 eV\n"
    "\\[\n\\boxed{10.2\\ \\text{eV}}\n\\]\n\n"
)


class _Judged:
    """A benchmark without a published rule that a program can follow."""

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return no accuracy, and why."""
        return Score(None, len(answered(items, answers)), 0, note=_JUDGE)

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return our score."""
        return strict_score(items, answers)


class SFE(_Judged):
    """Scientists' First Exam (Zhou et al., 2025)."""

    name: ClassVar[str] = "sfe"
    title: ClassVar[str] = "SFE (Scientists' First Exam)"
    protocol: ClassVar[str] = (
        "SFE: a .jsonl, .json or .parquet with question_type (mcq, exact_match, open_ended), field, question, options, "
        f"answer, images, and a folder images beside it or above it; VLMEvalKit's prompts. {_JUDGE} {_STRICT}"
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        for number, row in enumerate(_rows(place)):
            kind, field, question, answer = required(
                row, ("question_type", "field", "question", "answer"), f"question {number} of {place}"
            )
            if kind not in _SFE_KINDS:
                raise SourceError(f"question {number} of {place} has the type {kind}", ", ".join(_SFE_KINDS))
            given = [str(option) for option in _listed(row.get("options"))] if kind == "mcq" else []
            options = {letter: _option_text(text) for letter, text in zip(string.ascii_uppercase, given, strict=False)}
            words = " ".join([_SFE_BEGIN.format(field=field) + _SFE_KINDS[kind], str(question), *given])
            names = [str(name) for name in _listed(row.get("images"))]
            images = tuple(image_file(_beside(place, name)) for name in names)
            truth = str(answer)
            letter = re.match(r"\s*\(?([A-Z])\b", truth)
            truth = letter[1] if options and letter else truth
            groups = {"field": str(field), "type": str(kind)}
            yield Item(str(row.get("id", number)), (*range(len(images)), words), truth, images, options, groups)


class Physics(_Judged):
    """PHYSICS (Feng et al., 2025): university problems; some have a picture."""

    name: ClassVar[str] = "physics"
    title: ClassVar[str] = "PHYSICS"
    protocol: ClassVar[str] = (
        "PHYSICS: VLMEvalKit's Physics.tsv or one of its six parts, with index, question, answer, image (base64); the "
        f"answer in \\boxed{{}}. {_JUDGE} {_STRICT}"
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        for row in read_table(place):
            index, question, answer = required(row.cells, ("index", "question", "answer"), f"a row of {place}")
            images = tuple(row.image(i) for i in range(row.images))
            prompt = f"{_PHYSICS_ASKED}Question: {question}\nAnswer:"
            groups = {"category": row.cells["category"]} if "category" in row.cells else {}
            yield Item(str(index), (*range(len(images)), prompt), _truth(answer), images, {}, groups)


class VRSBench(_Judged):
    """VRSBench (Li et al., 2024): questions about aerial images; VRSBench-MINI is any part of this list."""

    name: ClassVar[str] = "vrsbench"
    title: ClassVar[str] = "VRSBench (VQA), and parts of it such as MINI"
    protocol: ClassVar[str] = (
        "VRSBench: VRSBench_EVAL_vqa.json with image_id, question, ground_truth, question_id, type, and Images_val "
        f"beside it. {_JUDGE} {_STRICT}"
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions."""
        path = place if place.is_file() else place / "VRSBench_EVAL_vqa.json"
        for number, row in enumerate(read_rows(path)):
            image, question, truth = required(
                row, ("image_id", "question", "ground_truth"), f"question {number} of {path}"
            )
            prompt = f"{question}\nAnswer the question using a single word or phrase."
            found = next(
                (p for p in (path.parent / "Images_val" / str(image), path.parent / str(image)) if p.is_file()),
                path.parent / "Images_val" / str(image),
            )
            groups = {"type": str(row.get("type", ""))}
            yield Item(str(row.get("question_id", number)), (0, prompt), str(truth), (image_file(found),), {}, groups)


def _rows(place: Path) -> list[dict[str, Any]]:
    if place.suffix != ".parquet":
        return read_rows(place)
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError as error:
        raise SourceError(
            f"reading {place} needs the module '{error.name}'", remedy="pip install 'napari_s1omni[tables]'"
        ) from None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(place).to_pylist()
    except (OSError, ArrowException) as error:
        raise SourceError(f"{place} cannot be read: {error}", "a Parquet file") from error
    return rows


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _option_text(option: str) -> str:
    return re.sub(r"^\s*\(?[A-Z][.):]\s*", "", option)


def _beside(place: Path, name: str) -> Path:
    """Return where an image of a list lies: in ``images`` beside the list, or beside its folder."""
    places = [folder / "images" / name for folder in (place.parent, place.parent.parent)]
    return next((path for path in places if path.is_file()), places[0])


def _truth(answer: str) -> str:
    """Return the truth of PHYSICS, which some rows have as a list of one, or in a box."""
    boxed = re.search(r"\\boxed\{(.*)\}", answer, re.S)
    return boxed[1] if boxed else answer.strip().strip("[]'\"")
