"""Base model of everything that a person writes: jobs, options, recipes."""

from __future__ import annotations

import difflib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_s1omni.errors import JobError


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


def did_you_mean(word: str, choices: list[str]) -> str:
    """Return ``" Did you mean 'x'?"`` with the choice most similar to `word`, or an empty string."""
    found = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""


def _job_error(cls: type[BaseModel], error: ValidationError, where: str) -> JobError:
    lines = []
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"]]
        given = ".".join(path) or where
        if problem["type"] == "extra_forbidden":
            valid = _keys_at(cls, path[:-1])
            lines.append(f"unknown key '{given}'.{did_you_mean(path[-1], valid)} Allowed: {', '.join(valid)}")
        elif problem["type"] == "missing":
            inside = f" in '{'.'.join(path[:-1])}'" if path[:-1] else ""
            lines.append(f"'{path[-1]}' is missing{inside}")
        else:
            value = repr(problem.get("input"))
            shown = value if len(value) < 80 else value[:77] + "..."
            lines.append(f"{given} = {shown}: {problem['msg'][0].lower()}{problem['msg'][1:]}")
    return JobError(f"{where}: {'; '.join(lines)}", remedy="Correct it and run again", problems=lines)


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
