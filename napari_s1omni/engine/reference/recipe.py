"""Recipe: the steps an engine decided on, as lines of a thought that people can read and edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_s1omni.errors import ThoughtError

_STEP = re.compile(r"^\s*[-*]\s*([a-z][a-z ]*?)\s*:\s*([^(\n]*?)\s*(?:\(.*\))?\s*$", re.I | re.M)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps by name. A value is a number with its unit, or a few words."""

    steps: Mapping[str, str] = field(default_factory=dict)
    """Name -> value as written, in order."""

    @classmethod
    def read(cls, text: str) -> Recipe:
        """Find the lines ``- name: value (reason)`` in a thought."""
        return cls({name.casefold(): value for name, value in _STEP.findall(text)})

    def number(self, name: str, least: float, most: float) -> float:
        """Return the first number of a step.

        Raises
        ------
        ThoughtError
            If the step is missing, has no number, or one out of range.
        """
        found = _NUMBER.search(self.words(name))
        value = float(found.group()) if found else None
        if value is None or not least <= value <= most:
            raise ThoughtError(
                f"step '{name}: {self.steps[name]}' of the thought",
                f"a number from {least:g} to {most:g}",
                "correct the thought or think again",
                step=name,
            )
        return value

    def numbers(self, name: str) -> list[float]:
        """Return all numbers of a step, at least two.

        Raises
        ------
        ThoughtError
            If there are fewer.
        """
        found = [float(v) for v in _NUMBER.findall(self.words(name))]
        if len(found) < 2:
            raise ThoughtError(
                f"step '{name}: {self.steps[name]}' of the thought", "at least two numbers", "correct it", step=name
            )
        return found

    def words(self, name: str) -> str:
        """Return a step as written.

        Raises
        ------
        ThoughtError
            If the step is missing.
        """
        if name not in self.steps:
            raise ThoughtError(
                f"the thought states no step '{name}'",
                f"it states {', '.join(self.steps) or 'no step at all'}",
                "let the engine think, or write the line '- name: value'",
                step=name,
            )
        return self.steps[name]

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return a step that is one of some words.

        Raises
        ------
        ThoughtError
            If it is none of them.
        """
        value = self.words(name).casefold()
        if value not in allowed:
            raise ThoughtError(
                f"step '{name}: {value}' of the thought", f"one of {', '.join(allowed)}", "correct it", step=name
            )
        return value
