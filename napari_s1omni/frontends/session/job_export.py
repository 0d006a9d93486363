"""A job as YAML, Python or a shell command; all three resolve to the same plan."""

from __future__ import annotations

import json
import shlex
from typing import Any

from napari_s1omni.operations import OPERATIONS
from napari_s1omni.planning.job import Box, Job


def as_yaml(job: Job) -> str:
    """Return the job as a job file for ``s1omni run``."""
    return _complete(job).dump(prompt=True)


def as_python(job: Job) -> str:
    """Return Python that runs the job."""
    job = _complete(job)
    name = OPERATIONS[job.operation.type].verb
    arguments = [repr(job.source.uri)]
    if job.output is not None:
        arguments.append(repr(job.output))
    arguments += [f"{key}={value!r}" for key, value in _options(job).items()]
    body = "".join(f"    {argument},\n" for argument in arguments)
    return f"import napari_s1omni\n\nresult = napari_s1omni.{name}(\n{body})\n"


def as_command(job: Job) -> str:
    """Return a shell command that runs the job; a region without an option is written to a job file."""
    job = _complete(job)
    if job.region is not None and not isinstance(job.region, Box):
        return f"cat > job.yaml <<'JOB'\n{job.dump()}JOB\ns1omni run job.yaml\n"
    command = OPERATIONS[job.operation.type].command
    words = ["s1omni", command, job.source.uri, *([job.output] if job.output else [])]
    for key, value in _options(job).items():
        flag = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            # One word, so that a value may begin with a dash.
            words.append(f"{flag}={_word(key, value)}")
    return " ".join(shlex.quote(word) for word in words) + "\n"


def _complete(job: Job) -> Job:
    """Write the output in full, since the copy may be run in another folder."""
    return job if job.output is None else job.replace(output=job.full_output)


def _options(job: Job) -> dict[str, Any]:
    """Return the fields that differ from their defaults, as options of functions and commands."""
    data = json.loads(job.model_dump_json(exclude_defaults=True))
    options: dict[str, Any] = dict(data.get("operation", {}))
    options.pop("type", None)
    options.update({k: v for k, v in data.get("source", {}).items() if k != "uri"})
    options.update(data.get("tiling", {}))
    options.update(data.get("sampling", {}))
    options.update({k: data[k] for k in ("engine", "region", "into") if k in data})
    if isinstance(job.region, Box):
        options["region"] = job.region.model_dump(mode="json", exclude_none=True, exclude={"type"})
    return options


def _word(key: str, value: Any) -> str:
    if key == "region":
        return ",".join(f"{axis}={start}:{stop}" for axis, (start, stop) in value.items())
    if isinstance(value, list):
        return ",".join(str(v) for v in value)
    return str(value)
