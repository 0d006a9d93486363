"""Small JSON files by which processes exchange state; each is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_state(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a state file. It is not part of the result, so it is not synced to the disk.

    Raises
    ------
    OSError
        If it cannot be written; the old file is kept.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_state(path: Path) -> dict[str, Any]:
    """Read a state file; an empty dict if it is missing or unreadable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
