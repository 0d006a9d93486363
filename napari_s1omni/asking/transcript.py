"""The transcript of a question: everything that was seen, run and said, so that it can be read and replayed.

A folder with ``transcript.jsonl``, one event per line, and the pictures as PNG files that are named by their content.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.asking.view import picture_digest
from napari_s1omni.errors import StoreDamaged, StoreExists, StoreMissing
from napari_s1omni.storage.files.disk import disk_errors

FILE, PICTURES = "transcript.jsonl", "pictures"
VERSION = 1


class Transcript:
    """Writes events as they happen; each line is complete on the disk before the next thing is done.

    Parameters
    ----------
    folder : Path
        A new or empty folder.

    Raises
    ------
    StoreExists
        If there is a transcript already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with disk_errors("write", folder):
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)
            if (folder / FILE).exists():
                raise StoreExists(f"{folder} holds a transcript", remedy="name another folder", path=str(folder))
            (folder / FILE).touch()

    def add(self, kind: str, **facts: Any) -> None:
        """Add one event with plain data."""
        line = json.dumps({"kind": kind, **facts}, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"
        with disk_errors("write", self.folder), open(self.folder / FILE, "a", encoding="utf-8") as file:
            file.write(line)

    def add_picture(self, pixels: NDArray[np.uint8]) -> str:
        """Store a picture (rows, columns, 3); return its digest, which names its file."""
        digest = picture_digest(pixels)
        path = self.folder / PICTURES / f"{digest[:32]}.png"
        if not path.exists():
            encoded = io.BytesIO()
            Image.fromarray(pixels).save(encoded, "PNG")
            with disk_errors("write", path):
                path.write_bytes(encoded.getvalue())
        return digest


def read_transcript(folder: Path) -> list[dict[str, Any]]:
    """Return all events in their order; the last one of a question that was killed may be missing.

    Raises
    ------
    StoreMissing
        If there is no transcript.
    StoreDamaged
        If a line before the last cannot be read, or a newer version wrote it.
    """
    path = folder / FILE
    if not path.is_file():
        raise StoreMissing(f"{folder} holds no {FILE}", "the folder of a question", "name it", path=str(folder))
    events = []
    lines = path.read_text("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            events.append(dict(event))
        except (ValueError, TypeError, RecursionError):
            if number < len(lines):
                raise StoreDamaged(f"line {number} of {path} is damaged", remedy="restore it from a copy") from None
    if events and events[0].get("version", VERSION) > VERSION:
        raise StoreDamaged(
            f"{path} was written by a newer version", f"version {VERSION}", "update napari_s1omni", path=str(path)
        )
    return events


def picture_path(folder: Path, digest: str) -> Path:
    """Return the file of a picture."""
    return folder / PICTURES / f"{digest[:32]}.png"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    raise TypeError(f"{type(value).__name__} in a transcript")
