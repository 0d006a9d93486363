"""Asks a chat model the questions of a benchmark; every answer is kept at once, so that a stopped run goes on."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_s1omni.endpoint.protocol import ChatModel, ChatSampling, Picture, Reply, Text, Turn
from napari_s1omni.errors import ContextTooShort, DiskFull, EndpointError, ReplyDamaged, ReplyEndless, StoreError
from napari_s1omni.evaluation.questions.files import read_rows
from napari_s1omni.evaluation.questions.item import Item


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question."""

    id: str
    response: str
    reasoning: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    rounds: int = 1
    """Replies until the answer; more than one with tools."""
    gain: float | None = None
    """Visual information gain of the pictures looked at; None without tools."""
    error: str = ""
    """Why there is no answer; it counts as an empty one."""

    def row(self) -> dict[str, Any]:
        """Return it as a row of the file of answers."""
        return {name: getattr(self, name) for name in self.__slots__}


Asker = Callable[[Item], Answered]


@dataclass(frozen=True, slots=True)
class PlainAsker:
    """Asks without tools: the benchmark's prompt with its images, once.

    Parameters
    ----------
    model : ChatModel
    source : str
        Path of the benchmark: what a person agreed to send.
    max_tokens : int, optional
    sampling : ChatSampling, optional
    """

    model: ChatModel
    source: str
    max_tokens: int | None = None
    sampling: ChatSampling = field(default_factory=ChatSampling)

    def __call__(self, item: Item) -> Answered:
        """Return the answer to a question.

        Raises
        ------
        EndpointError
            If the endpoint does not work; a reply that is damaged, endless or too long is an answer with an error.
        ConsentMissing
            If nobody agreed that the images of the benchmark leave this machine.
        """
        parts = [
            Text(part) if isinstance(part, str) else Picture(item.images[part](), self.source) for part in item.prompt
        ]
        try:
            reply = self.model.complete(
                [Turn("user", tuple(parts))], max_tokens=self.max_tokens, sampling=self.sampling
            )
        except (ContextTooShort, ReplyDamaged, ReplyEndless) as error:
            return _failed(item, error)
        return _answered(item, reply)


def ask_all(items: Sequence[Item], asker: Asker, kept: Path) -> Iterator[Answered]:
    """Ask the questions that a file of answers lacks, and add each answer to it.

    Parameters
    ----------
    items : sequence of Item
    asker : callable
        Answers one question.
    kept : Path
        JSON Lines; made where it is missing. A question without an answer is asked again.

    Yields
    ------
    Answered
        For each question that was asked now.

    Raises
    ------
    SourceError
        If the file holds something else.
    StoreError, DiskFull
        If it cannot be written.
    """
    known = kept_answers(kept)
    for item in items:
        if item.id in known and not known[item.id].get("error"):
            continue
        found = asker(item)
        _keep(found, kept)
        yield found


def kept_answers(kept: Path) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a file of answers by question; a later row replaces an earlier one."""
    return {str(row.get("id")): row for row in read_rows(kept)} if kept.exists() else {}


def costs(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return what the answers cost: tokens, seconds and rounds in all, and how many failed."""
    sums = {
        name: sum(float(row.get(name) or 0) for row in rows.values())
        for name in ("prompt_tokens", "completion_tokens", "seconds", "rounds")
    }
    return {
        "questions": len(rows),
        **sums,
        "failed": sum(bool(row.get("error")) for row in rows.values()),
    }


def _keep(found: Answered, kept: Path) -> None:
    try:
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found.row(), ensure_ascii=False) + "\n")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space is left for {kept}", remedy="free some space; the same command continues"
            ) from None
        raise StoreError(
            f"{kept} cannot be written: {error.strerror}", remedy="name another file with --answers"
        ) from None


def _answered(item: Item, reply: Reply) -> Answered:
    return Answered(
        item.id,
        reply.text,
        reply.reasoning,
        reply.usage.prompt,
        reply.usage.completion,
        round(reply.seconds, 3),
    )


def _failed(item: Item, error: EndpointError) -> Answered:
    return Answered(item.id, "", error=f"{type(error).__name__}: {error}")
