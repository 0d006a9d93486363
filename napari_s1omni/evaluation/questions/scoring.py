"""Shares of right answers, in all and in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from napari_s1omni.evaluation.questions.item import Item, Score
from napari_s1omni.evaluation.questions.letters import strict_letter
from napari_s1omni.evaluation.questions.math_answers import strict_answer, strict_equal


def share(right: Iterable[bool]) -> float:
    """Return the share of right ones; NaN if there are none."""
    listed = list(right)
    return sum(listed) / len(listed) if listed else float("nan")


def scored(
    items: Sequence[Item],
    read: Mapping[str, str],
    is_right: Callable[[Item, str], bool],
    *,
    accuracy: float | None = None,
    note: str = "",
) -> Score:
    """Return a score of some questions.

    Parameters
    ----------
    items : sequence of Item
        Those that count.
    read : mapping
        What was read from the answer to each, by id; an answer that could not be read is empty, and wrong.
    is_right : callable
        Whether what was read is right.
    accuracy : float, optional
        A published share that is not that of all questions.
    note : str
        A sentence about the score.
    """
    right = {item.id: bool(is_right(item, read.get(item.id, ""))) for item in items}
    parts: dict[str, list[bool]] = {}
    for item in items:
        for name, value in item.groups.items():
            parts.setdefault(f"{name} {value}", []).append(right[item.id])
    groups = {name: share(parts[name]) for name in sorted(parts)}
    overall = share(right.values()) if accuracy is None and items else accuracy
    return Score(overall, len(items), sum(right.values()), groups, dict(read), right, note)


def answered(items: Iterable[Item], answers: Mapping[str, str]) -> list[Item]:
    """Return the questions that have an answer; published programs count only those."""
    return [item for item in items if item.id in answers]


def strict_score(items: Sequence[Item], answers: Mapping[str, str], note: str = "") -> Score:
    """Return our score: every question counts, and an answer is right if what it states is the truth.

    A choice is right if it states the letter, see :func:`~napari_s1omni.evaluation.questions.letters.strict_letter`. An
    open answer is right if it states the same words, or exactly the same value.
    """
    read = {
        item.id: strict_letter(text, item.options) if item.options else strict_answer(text)
        for item in items
        if (text := answers.get(item.id)) is not None
    }
    return scored(items, read, _is_right, note=" ".join(filter(None, (note, unread_note(items, answers, read)))))


def unread_note(items: Sequence[Item], answers: Mapping[str, str], read: Mapping[str, str]) -> str:
    """Return how many questions have no answer that could be read, as a sentence; empty if all have."""
    unread = sum(not read.get(item.id) for item in items)
    missing = sum(item.id not in answers for item in items)
    return f"{unread} without a readable answer, {missing} of them without any." if unread else ""


def _is_right(item: Item, stated: str) -> bool:
    return stated == item.answer if item.options else strict_equal(item.answer, stated)
