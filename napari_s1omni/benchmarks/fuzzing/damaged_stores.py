"""Damage to a Zarr store: its JSON, and chunks that are missing, cut, renamed or exchanged."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from napari_s1omni.benchmarks.fuzzing.damaged_bytes import ANY
from napari_s1omni.benchmarks.fuzzing.damaged_json import damage_json

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
_STRAYS = ("._0", ".DS_Store", "Thumbs.db", "0.0.0.0", "c", "999", "notes.txt")


def damage_store(root: Path, rng: random.Random) -> str:
    """Change one file of a store; return what was done."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    about = [p for p in files if p.name in _METADATA]
    chunks = [p for p in files if p.name not in _METADATA]
    kind = rng.choice(("json", "json", "json", "chunk", "chunk", "file"))
    if kind == "chunk" and chunks:
        return _chunk(rng.choice(chunks), chunks, rng)
    if kind == "json" and about:
        file = rng.choice(about)
        try:
            text, told = damage_json(file.read_text(encoding="utf-8"), rng)
        except (ValueError, RecursionError):
            # It is damaged too much already.
            return _bytes(file, rng)
        file.write_text(text, encoding="utf-8")
        return f"{file.relative_to(root)}: {told}"
    return _file(root, rng.choice(files), rng) if files else "nothing is left to change"


def _bytes(file: Path, rng: random.Random) -> str:
    data = bytearray(file.read_bytes())
    told = rng.choice(ANY)(data, rng)
    file.write_bytes(bytes(data))
    return f"{file.name}: {told}"


def _chunk(chunk: Path, chunks: list[Path], rng: random.Random) -> str:
    change = rng.choice(("delete", "bytes", "bytes", "rename", "index", "exchange", "empty", "folder"))
    if change == "delete":
        chunk.unlink()
        return f"chunk {chunk.name} deleted"
    if change == "bytes":
        return f"chunk {_bytes(chunk, rng)}"
    if change == "exchange":
        other = rng.choice(chunks)
        first, second = chunk.read_bytes(), other.read_bytes()
        chunk.write_bytes(second)
        other.write_bytes(first)
        return f"chunks {chunk.name} and {other.name} exchanged"
    if change == "empty":
        chunk.write_bytes(b"")
        return f"chunk {chunk.name} is empty"
    if change == "folder":
        chunk.unlink()
        chunk.mkdir()
        return f"chunk {chunk.name} is a folder"
    name = f"{chunk.name}{rng.choice(('.tmp', '.0', ' (1)', '~'))}"
    if change == "index":
        name = re.sub(r"\d+", lambda found: str(int(found.group()) + rng.choice((0, 1, 50))), chunk.name)
    target = chunk.with_name(name)
    if target.exists():
        return _bytes(chunk, rng)
    chunk.rename(target)
    return f"chunk {chunk.name} is called {name}"


def _file(root: Path, file: Path, rng: random.Random) -> str:
    change = rng.choice(("delete", "bytes", "stray", "copy"))
    if change == "delete":
        file.unlink()
        return f"{file.relative_to(root)} deleted"
    if change == "stray":
        stray = file.parent / rng.choice(_STRAYS)
        if not stray.exists():
            stray.write_bytes(b"\0\5\x16\7Mac OS X")
        return f"{stray.relative_to(root)} added"
    if change == "copy" and not (root / file.name).exists():
        shutil.copy(file, root / file.name)
        return f"{file.relative_to(root)} also written to the top"
    return f"{file.parent.name}/{_bytes(file, rng)}"
