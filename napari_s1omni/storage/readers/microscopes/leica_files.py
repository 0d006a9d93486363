"""Which images a file of Leica holds, itself or in the files that it refers to, and where their pixels lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from napari_s1omni.errors import SourceError

_MOST_FILES = 100_000
"""Files that one experiment refers to at most."""


@dataclass(frozen=True, slots=True)
class LeicaElement:
    """One image as its file lists it."""

    path: str
    """Folders and name inside of the file, joined by slashes."""
    element: ElementTree.Element
    """Its XML."""
    file: Path
    """The file that describes it."""
    place: tuple[Path, int, int] | None
    """File, byte and number of bytes of its pixels; None if they are pictures in files of their own, or missing."""


@dataclass(frozen=True, slots=True)
class LeicaContents:
    """What a file holds."""

    images: tuple[LeicaElement, ...]
    notes: tuple[str, ...]
    """What it holds or refers to that is not read."""


def read_contents(path: Path) -> LeicaContents:
    """List the images of a LIF, LOF, XLIF or XLEF file.

    Raises
    ------
    SourceError
        If the file is empty or of another kind, or if every file that it refers to is missing or damaged.
    """
    if not path.stat().st_size:
        raise SourceError(
            f"{path} is empty", "a file of Leica LAS X", "check that it was copied as a whole", path=str(path)
        )
    images: list[LeicaElement] = []
    lost: list[str] = []
    lifetimes = 0
    for found in _walk(path, "", set(), lost):
        if isinstance(found, LeicaElement):
            images.append(found)
        else:
            lifetimes += found
    notes = []
    if lost:
        shown = "; ".join(lost[:3]) + (f"; and {len(lost) - 3} more" if len(lost) > 3 else "")
        if not images:
            raise SourceError(
                f"{path} refers to files that cannot be read: {shown}",
                "the images of an XLEF or XLIF file lie in files beside it",
                "copy the whole folder",
                path=str(path),
            )
        notes.append(f"{len(lost)} of the files that it refers to cannot be read: {shown}")
    if lifetimes:
        notes.append(f"{lifetimes} raw lifetime recordings (FLIM) of the file are not read")
    if not images:
        raise SourceError(
            f"{path} holds no image",
            notes[0] if notes else "a file of Leica LAS X with at least one image",
            "export the images from LAS X",
            path=str(path),
        )
    return LeicaContents(tuple(images), tuple(notes))


def _walk(path: Path, folder: str, seen: set[str], lost: list[str]) -> Iterator[LeicaElement | int]:
    """Yield the images of a file and of those it refers to, and a 1 for each recording that is no image."""
    from liffile import LifFile

    real = os.path.realpath(path)
    if real in seen or len(seen) > _MOST_FILES:
        return
    seen.add(real)
    try:
        file: Any = LifFile(str(path))
    except UnicodeDecodeError:
        raise SourceError(
            f"{path} ends inside its description",
            "a file of Leica LAS X is read to its end",
            "copy it again, or wait until the program that writes it has finished",
            path=str(path),
        ) from None
    kind = file.type.name
    referring = kind in ("XLEF", "XLCF")
    try:
        if not referring:
            for name, element in _elements(file.xml_element):
                if element.find("./Data/Image") is None:
                    yield 1
                    continue
                name = name.partition("/")[2] or name if kind == "LIF" else name
                yield LeicaElement(
                    "/".join(part for part in (folder, name) if part), element, path, _place(path, file, element, lost)
                )
    finally:
        if kind in ("LIF", "LOF", "LIFEXT"):
            file.close()
    root = file.xml_element.find("./Element")
    inner = "" if root is None or kind == "XLEF" or not referring else root.get("Name", "")
    for reference in file.xml_element.iterfind("./Element/Children/Reference"):
        name = reference.get("File")
        if name is None:
            continue
        try:
            yield from _walk(_beside(path, name), "/".join(part for part in (folder, inner) if part), seen, lost)
        except (SourceError, OSError, ValueError, KeyError, AssertionError, ElementTree.ParseError) as error:
            lost.append(f"{unquote(name)} ({error.given if isinstance(error, SourceError) else error})")


def _elements(root: ElementTree.Element, folder: str = "") -> Iterator[tuple[str, ElementTree.Element]]:
    """Yield path and element of each image, and of each recording of lifetimes."""
    children = root.findall("./Children/Element") or root.findall("./Element")
    for element in children:
        path = "/".join(part for part in (folder, element.get("Name", "")) if part)
        recording = element.find('./Data/SingleMoleculeDetection[@IsImage="true"]')
        if element.find("./Data/Image") is not None or recording is not None:
            yield path, element
        yield from _elements_below(element, path)


def _elements_below(element: ElementTree.Element, path: str) -> Iterator[tuple[str, ElementTree.Element]]:
    if element.find("./Children/Element") is not None:
        yield from _elements(element, path)


def _place(path: Path, file: Any, element: ElementTree.Element, lost: list[str]) -> tuple[Path, int, int] | None:
    """Return where the pixels of an image lie."""
    blocks = file.memory_blocks
    if file.type.name == "LIF":
        memory = element.find("./Memory")
        block = blocks.get(memory.get("MemoryBlockID", "")) if memory is not None else None
        return None if block is None else (path, block.offset, block.size)
    block = next(iter(blocks.values()), None)
    if block is None:
        return None
    if file.type.name == "LOF":
        return path, block.offset, block.size
    if block.type.name == "LOF" and len(block.frames) == 1:
        from liffile import LifFile

        other = _beside(path, block.frames[0].file)
        with LifFile(str(other)) as lof:
            inner = next(iter(lof.memory_blocks.values()))
            return other, inner.offset, inner.size
    return None


def _beside(path: Path, name: str) -> Path:
    """Return the path of a file that another refers to, also in other case, as Windows finds it."""
    wanted = path.parent.joinpath(*unquote(name).replace("\\", "/").split("/"))
    if wanted.exists():
        return wanted
    try:
        same = [p for p in wanted.parent.iterdir() if p.name.lower() == wanted.name.lower()]
    except OSError:
        same = []
    if not same:
        raise SourceError(f"{wanted} is missing", path=str(wanted))
    return same[0]
