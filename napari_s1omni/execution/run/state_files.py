"""Notes: small JSON files by which processes tell each other something, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_state(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a note. It is no part of the result: nobody waits until it is on the medium.

    Raises
    ------
    OSError
        If it cannot be written; the old note is still there.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        aside.write_text(json.dumps(content), encoding="utf-8")
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def read_state(path: Path) -> dict[str, Any]:
    """Read a note; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
