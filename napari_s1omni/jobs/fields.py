"""Fields of a job by their dotted names, as lists of images and ``s1omni run --set`` give them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_s1omni.core.paths import split_reference
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.errors import JobError
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.operations.channels import read_channels
from napari_s1omni.planning.job import IMAGE_FIELD, Box, Job, SourceRef


def job_fields(operation: OperationType | None = None) -> dict[str, FieldInfo]:
    """Return the fields that a person may set, by dotted name such as ``tiling.tile_size``.

    Parameters
    ----------
    operation : str, optional
        Its fields; by default those of all operations.
    """
    models = [OPERATIONS[operation].model] if operation else [item.model for item in OPERATIONS.values()]
    sections: list[tuple[str, type[BaseModel]]] = [
        *(("operation.", model) for model in models),
        ("source.", SourceRef),
        ("tiling.", Tiling),
        ("sampling.", Sampling),
        ("region.", Box),
    ]
    whole = {name: Job.model_fields[name] for name in ("engine", "output", "into", "region", "source")}
    inside = ((section + name, field) for section, model in sections for name, field in model.model_fields.items())
    return {**whole, **dict(inside), "source.image": IMAGE_FIELD}


def similar_field(name: str, fields: Iterable[str]) -> str | None:
    """Return the field that a name which is none was probably meant for, such as ``operation.prompt`` for ``promt``."""
    known = list(fields)
    plain = _plain(name)
    # Columns called x, y, z, t or type are facts about an image more often than bounds of a region.
    ends = {_plain(field.rpartition(".")[2]): field for field in known if not field.startswith("region.")}
    ends.pop("type", None)
    if plain in ends:
        return ends[plain]
    wholes = {_plain(field): field for field in known}
    if plain in wholes:
        return wholes[plain]
    for names in (wholes, ends) if "." in name else (ends,):
        if close := difflib.get_close_matches(plain, [n for n in names if len(n) > 3], n=1, cutoff=0.85):
            return names[close[0]]
    section = name.partition(".")[0]
    return section if "." in name and section in {field.partition(".")[0] for field in known} else None


def set_fields(job: Job, settings: Iterable[str]) -> Job:
    """Return a job with other values in some of its fields.

    Parameters
    ----------
    job : Job
    settings : iterable of str
        Such as ``tiling.tile_size=256``; the value is read as YAML.

    Raises
    ------
    JobError
        If a job has no such field, or not with this value.
    """
    data = plain_job(job)
    pairs = [setting.partition("=") for setting in settings]
    given = {name.strip(): value for name, _, value in pairs}
    kind = given.get("operation.type", job.operation.type)
    fields = job_fields(kind if kind in OPERATIONS else None)
    for name, equals, value in pairs:
        name = name.strip()
        if not equals:
            raise JobError(f"--set {name}", "a setting is NAME=VALUE, such as tiling.tile_size=256", "add the value")
        if name not in fields:
            near = similar_field(name, fields)
            words = f" Did you mean '{near}'?" if near in fields else ""
            allowed = f"fields are {', '.join(sorted(fields))}"
            raise JobError(f"a job has no field '{name}'.{words}", allowed, "correct it and run again")
        set_field(data, name, value, fields[name])
    changed = Job.read(data, "--set")
    return changed if "output" in given else changed.replace(output=job.full_output)


def plain_job(job: Job) -> dict[str, Any]:
    """Return a job as plain data without the fields that have their default, so that its operation may be changed."""
    data: dict[str, Any] = json.loads(job.model_dump_json(exclude_defaults=True))
    data["operation"] = {"type": job.operation.type, **data.get("operation", {})}
    return data


def set_field(data: dict[str, Any], name: str, text: str, field: FieldInfo) -> None:
    """Set a field of plain data of a job to a value in text.

    Parameters
    ----------
    data : dict
    name : str
        Dotted name.
    text : str
        Read as it is where the field holds text, else as YAML; commas separate the entries of a list.
    field : FieldInfo
        From :func:`job_fields`.
    """
    *parents, last = name.split(".")
    if name == "source":
        parents, last = ["source"], "uri"
    for parent in parents:
        if not isinstance(data.get(parent), Mapping):
            data[parent] = {}
        data = data[parent]
    if name == "source.image" and "uri" in data:
        data["uri"] = split_reference(str(data["uri"]))[0]
    data[last] = _value(last, text, field)


def _value(name: str, text: str, field: FieldInfo) -> Any:
    kinds = list(_members(field.annotation))
    # A choice of words is text too: YAML would read "off" as false.
    if name in ("uri", "region", "image") or all(kind in (str, type(None)) or isinstance(kind, str) for kind in kinds):
        return text if text or type(None) not in kinds else None
    if name == "channels" and not text.lstrip().startswith("["):
        return read_channels(text) if text and text != "null" else None
    value = _yaml(text)
    if isinstance(value, str) and "," in value and any(get_origin(kind) is tuple for kind in kinds):
        return [_yaml(part) for part in value.split(",")]
    return value


def _yaml(text: str) -> Any:
    try:
        return json.loads(json.dumps(yaml.safe_load(text)))
    except (yaml.YAMLError, TypeError):
        return text


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union; of anything else, itself."""
    members = get_args(annotation)
    if members and get_origin(annotation) is not tuple:
        for member in members:
            yield from _members(member)
    else:
        yield annotation


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
