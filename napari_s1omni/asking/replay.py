"""Runs the code of an answered question again on the same layer, and compares every note and picture bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.asking.conversation import Cells
from napari_s1omni.asking.observation import Observation
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.view import picture_digest
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found."""

    cells: int
    """Pieces of code that were run."""
    pictures: int
    """Pictures that were compared."""
    notes: int
    """Values that were compared."""
    differences: tuple[str, ...]
    """One sentence each; empty if all are equal."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "cells": self.cells,
            "pictures": self.pictures,
            "notes": self.notes,
            "differences": list(self.differences),
        }


def question_of(events: list[dict[str, Any]], folder: Path) -> tuple[Question, str]:
    """Return the question of a transcript, and the digest of its layer.

    Raises
    ------
    StoreDamaged
        If the transcript does not begin with a question.
    """
    first = events[0] if events else {}
    if first.get("kind") != "question":
        raise StoreDamaged(f"the transcript in {folder} begins without a question", remedy="restore it from a copy")
    return Question.read(first["question"], str(folder), stored=True), str(first.get("layer", ""))


def check_layer(source: Source, digest: str, folder: Path) -> None:
    """Refuse another layer than the one that was asked about.

    Raises
    ------
    StoreDamaged
        If it has other pixels.
    """
    if digest and source.fingerprint() != digest:
        raise StoreDamaged(
            f"{source.spec.source or 'the layer'} has other pixels than when the question in {folder} was answered",
            "the same image",
            "name the image as it was with --source",
        )


def replay(events: list[dict[str, Any]], question: Question, viewer: Viewer, cells: Cells) -> Replay:
    """Replay a transcript.

    Parameters
    ----------
    events : list of dict
        From :func:`napari_s1omni.asking.transcript.read_transcript`.
    question : Question
        Of the same transcript.
    viewer : Viewer
        Of the same layer; nothing was looked at before.
    cells : Cells
        New, so that no variable is known.
    """
    differences: list[str] = []
    count = pictures = notes = 0
    for event in events:
        if event["kind"] == "view":
            pictures += 1
            shown = viewer.view(z=question.z, t=question.t, channels=question.channels)
            if shown.record.digest != event["digest"]:
                differences.append(f"the picture {event['name']} differs")
        elif event["kind"] == "cell":
            count += 1
            done = cells.run(event["code"], question.limits.cell_seconds)
            pictures += len(event["pictures"])
            notes += len(event["notes"])
            differences += _differences(event, done)
    if not any(event["kind"] == "answer" for event in events):
        differences.append("the question was not answered: its transcript ends before")
    return Replay(count, pictures, notes, tuple(differences))


def _differences(event: dict[str, Any], done: Observation) -> list[str]:
    where = f"cell {event['number']}"
    found = []
    if bool(event["error"]) != bool(done.error):
        found.append(f"{where} {'failed' if done.error else 'did not fail'} this time")
    before, now = event["notes"], [note.to_json() for note in done.notes]
    if len(before) != len(now):
        found.append(f"{where} noted {len(now)} values, and {len(before)} before")
    for old, new in zip(before, now, strict=False):
        if old != new:
            was, became = (f"{v['name']} = {v['value']!r} {v['unit']}".rstrip() for v in (old, new))
            found.append(f"{where} noted {became}, and {was} before")
    digests = [picture_digest(one.pixels) for one in done.shown]
    if len(digests) != len(event["pictures"]):
        found.append(f"{where} showed {len(digests)} pictures, and {len(event['pictures'])} before")
    pairs = zip(event["pictures"], digests, strict=False)
    found += [f"picture {i} of {where} differs" for i, (old, new) in enumerate(pairs, 1) if old != new]
    return found
