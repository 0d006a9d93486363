"""The processing steps of a thought, written as lines ``- name: value (reason)`` that people can read and edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_s1omni.errors import ThoughtError

_LINE = re.compile(r"^\s*[-*]\s*([a-z][a-z ]*?)\s*:\s*([^(\n]*?)\s*(?:\(.*\))?\s*$", re.I | re.M)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps by name. A value is a number with its unit, or a few words."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Name -> value as written, in order."""

    @classmethod
    def read(cls, text: str) -> Steps:
        """Return the steps that the text of a thought states."""
        return cls({name.casefold(): value for name, value in _LINE.findall(text)})

    def number(self, name: str, least: float, most: float) -> float:
        """Return the first number of a step.

        Raises
        ------
        ThoughtError
            If the step is missing, has no number, or its number is out of range.
        """
        found = _NUMBER.search(self.text(name))
        value = float(found.group()) if found else None
        if value is None or not least <= value <= most:
            raise ThoughtError(
                f"step '{name}: {self.values[name]}' of the thought",
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
            If it is missing or has fewer.
        """
        found = [float(v) for v in _NUMBER.findall(self.text(name))]
        if len(found) < 2:
            raise ThoughtError(
                f"step '{name}: {self.values[name]}' of the thought", "at least two numbers", "correct it", step=name
            )
        return found

    def text(self, name: str) -> str:
        """Return a step as written.

        Raises
        ------
        ThoughtError
            If the step is missing.
        """
        if name not in self.values:
            raise ThoughtError(
                f"the thought states no step '{name}'",
                f"it states {', '.join(self.values) or 'no step at all'}",
                "let the engine think, or write the line '- name: value'",
                step=name,
            )
        return self.values[name]

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Return a step that must be one of the `allowed` words.

        Raises
        ------
        ThoughtError
            If it is missing or another word.
        """
        value = self.text(name).casefold()
        if value not in allowed:
            raise ThoughtError(
                f"step '{name}: {value}' of the thought", f"one of {', '.join(allowed)}", "correct it", step=name
            )
        return value
