"""Base model of everything that a person writes: jobs, options, recipes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from napari_s1omni.errors import JobError

_WORDS = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number"),
    **dict.fromkeys(("int_from_float", "int_parsing", "int_type"), "must be a whole number"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must hold keys with values"),
    "finite_number": "must be a finite number",
    "string_type": "must be text",
}
"""What is allowed, by pydantic's type of error."""


class Document(BaseModel):
    """A frozen pydantic model that refuses unknown keys and names the allowed ones.

    The docstring under each field is its help text everywhere: command line,
    forms, JSON schema and documentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def read(cls, data: Any, where: str = "job", *, stored: bool = False) -> Self:
        """Validate plain data.

        Parameters
        ----------
        data : mapping
            Parsed from YAML, JSON or options.
        where : str
            Name of the document, for the error message.
        stored : bool
            It was stored with a result: its paths are those of another folder or machine and stay as they are.

        Raises
        ------
        JobError
            One error that lists every problem.
        """
        try:
            return cls.model_validate(data, context={"stored": stored})
        except ValidationError as error:
            raise _job_error(cls, error, where) from None

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated like a new document."""
        return type(self).read({**self.model_dump(), **changes}, type(self).__name__)


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML or JSON file that a person wrote.

    Parameters
    ----------
    path : Path
    what : str
        What it is, for the message.

    Raises
    ------
    JobError
        If it cannot be read, or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise JobError(f"{what} {path}: {why}", remedy="Name a readable YAML or JSON file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        why = getattr(error, "problem", None) or " ".join(str(error).split())
        raise JobError(f"{what} {path} is not YAML{place}: {why}") from None


def did_you_mean(word: str, choices: list[str], least: float = 0.5) -> str:
    """Return ``" Did you mean 'x'?"`` with the choice most similar to `word`, or an empty string.

    Parameters
    ----------
    word : str
    choices : list of str
    least : float
        Similarity from which a choice is named, 0 to 1.
    """
    found = difflib.get_close_matches(word, choices, n=1, cutoff=least)
    return f" Did you mean '{found[0]}'?" if found else ""


def _job_error(cls: type[BaseModel], error: ValidationError, where: str) -> JobError:
    problems: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False):
        path = _fields_at(cls, problem["loc"])
        words = _problem_words(cls, problem, path)
        place = _problem_place(problem, path)
        # What is wrong at one place is told together, such as for each member of a union.
        problems.setdefault(place or words, []).append(words)
    lines = [
        place if place in words else f"{place}{' or '.join(dict.fromkeys(words))}" for place, words in problems.items()
    ]
    return JobError(f"{where}: {'; '.join(lines)}", remedy="Correct it and run again", problems=lines)


def _problem_place(problem: ErrorDetails, path: list[str]) -> str:
    """Return where the problem is, with the value where the words about it do not name it."""
    given = ".".join(path)
    if problem["type"] in ("extra_forbidden", "missing") or not path:
        return ""
    if problem["type"] == "value_error":
        return f"{given}: "
    value = repr(problem.get("input"))
    return f"{given} = {value if len(value) < 80 else value[:77] + '...'} "


def _problem_words(cls: type[BaseModel], problem: ErrorDetails, path: list[str]) -> str:
    """Return what is wrong, and what is allowed."""
    facts = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            *parents, unknown = [str(part) for part in problem["loc"]]
            valid = _keys_at(cls, parents)
            given = ".".join([*path, unknown])
            return f"unknown key '{given}'.{did_you_mean(unknown, valid)} Allowed: {', '.join(valid)}"
        case "missing":
            inside = f" in '{'.'.join(path[:-1])}'" if path[:-1] else ""
            return f"'{path[-1]}' is missing{inside}"
        case "value_error":
            return str(facts["error"])
        case "literal_error":
            return f"must be {facts['expected']}"
        case "union_tag_invalid":
            return f"must have one of these as {facts['discriminator']}: {facts['expected_tags']}"
        case "union_tag_not_found":
            return f"has no {facts['discriminator']}"
        case "too_long" | "too_short" as kind:
            most, least = f"at most {facts.get('max_length')}", f"at least {facts.get('min_length')}"
            return f"must have {most if kind == 'too_long' else least} entries"
        case kind:
            return _WORDS.get(kind) or problem["msg"].replace("Input should be", "must be")


def _fields_at(cls: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Return the keys that a person wrote: pydantic adds the members of a union, such as ``literal[2,4]``."""
    models, path = [cls], []
    for part in place:
        known = [m for m in models if part in m.model_fields]
        if known or isinstance(part, int):
            path.append(str(part))
        models = [n for m in known for n in _models_of(m.model_fields[str(part)].annotation)] or models
    return path


def _keys_at(cls: type[BaseModel], path: list[str]) -> list[str]:
    """Names of the fields allowed at `path`; in a union, those of the member with the given ``type``."""
    models = [cls]
    for part in path:
        tagged = [m for m in models if "type" in m.model_fields and m.model_fields["type"].default == part]
        inner = [n for m in models if part in m.model_fields for n in _models_of(m.model_fields[part].annotation)]
        models = tagged or inner or models
    return sorted({name for model in models for name in model.model_fields})


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in getattr(annotation, "__args__", ()) for m in _models_of(arg)]
