"""A question about a layer: the document that every surface edits, submits or stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from napari_s1omni.core.document import Document, read_yaml
from napari_s1omni.planning.job import Box, Shape, SourceRef, read_region

LONGEST = 20_000
"""Most characters of a question."""


class QuestionLimits(Document):
    """How much may be spent on one question."""

    rounds: int = Field(8, ge=1, le=64)
    """Most times that the model looks again or runs code."""
    images: int = Field(12, ge=1, le=64)
    """Most pictures that are sent, besides the first ones."""
    tokens: int = Field(32_768, ge=1024)
    """Most tokens of the conversation."""
    answer_tokens: int = Field(6_000, ge=64)
    """Tokens of these that are kept for the answer."""
    seconds: float = Field(600.0, gt=0)
    """Most seconds in all."""
    cell_seconds: float = Field(60.0, gt=0)
    """Most seconds of one piece of code."""

    @model_validator(mode="after")
    def _room_for_words(self) -> Self:
        if self.answer_tokens >= self.tokens:
            raise ValueError(f"answer_tokens {self.answer_tokens} must be fewer than tokens {self.tokens}")
        return self


class Question(Document):
    """Everything that asking needs, and that repeats it.

    Examples
    --------
    >>> question = Question.read({"source": "/data/cells.tif", "text": "How many nuclei are there?"})
    >>> print(question.dump())
    type: ask
    source:
      uri: /data/cells.tif
    text: How many nuclei are there?
    <BLANKLINE>
    """

    type: Literal["ask"] = "ask"
    source: SourceRef
    """The image; a plain string is its path or URL."""
    text: str
    """The question, in any language that the model reads."""
    region: Annotated[Box | Shape | None, BeforeValidator(lambda v: _region(v))] = None
    """Part of the image that may be looked at; left out, all of it."""
    z: int | None = Field(None, ge=0)
    """Plane that is shown first; left out, the middle one."""
    t: int | None = Field(None, ge=0)
    """Time point that is shown first; left out, the first."""
    channels: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Channels that are shown first, numbers from 0; left out, all."""
    mode: Literal["auto", "reason", "look"] = "auto"
    """``reason``: answer from the first pictures; ``look``: look closer and run code; ``auto``: by what a closer look
    can show."""
    endpoint: str = Field("reference", min_length=1)
    """Name of an endpoint, or ``reference``, which measures and needs no model."""
    limits: QuestionLimits = QuestionLimits()
    """How much may be spent."""

    @field_validator("text")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the question is empty; write what you want to know")
        if len(value) > LONGEST:
            raise ValueError(f"the question has {len(value):,} characters; at most {LONGEST:,} are sent: shorten it")
        return value

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("source"), str | Path):
            return {**data, "source": {"uri": str(data["source"])}}
        return data

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a question from a YAML or JSON file.

        Raises
        ------
        JobError
            If it cannot be read, or holds something that a question does not know.
        """
        return cls.read(read_yaml(Path(path), "question"), str(path))

    def dump(self) -> str:
        """Return the question as YAML, without fields that have their default."""
        data = json.loads(self.model_dump_json(exclude_defaults=True))
        text: str = yaml.safe_dump({"type": self.type, **data}, sort_keys=False, allow_unicode=True)
        return text


def _region(value: Any) -> Any:
    """Read the short form of a region; a box is one without its type."""
    if isinstance(value, str | Path):
        return read_region(str(value))
    if isinstance(value, dict):
        return (Shape if value.get("type") in ("polygon", "mask") else Box).read({"type": "box", **value}, "region")
    return value
