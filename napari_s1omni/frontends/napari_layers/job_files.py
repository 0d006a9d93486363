"""Job files among the files that a viewer opens."""

from __future__ import annotations

import re
from pathlib import Path

JOB_SUFFIXES = (".yaml", ".yml")
"""Suffixes of job files."""
JOB_KEY = "s1omni_job"
"""Key in the metadata of a layer opened from a job file: the job as YAML, until a dock takes it."""
_HEAD = 2**16
"""Characters in which a job file names its source and its operation."""


def is_job_path(path: str) -> bool:
    """Whether a path has the suffix of a job file."""
    return path.lower().endswith(JOB_SUFFIXES)


def is_job_file(path: str) -> bool:
    """Whether a file looks like a job, from its beginning."""
    if not is_job_path(path):
        return False
    try:
        with Path(path).open(encoding="utf-8") as file:
            head = file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    return all(re.search(rf"^{name}\s*:", head, re.MULTILINE) for name in ("source", "operation"))
