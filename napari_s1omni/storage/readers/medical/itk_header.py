"""What the text header of MetaImage and NRRD says beside what ITK returns: compression, units, where the voxels lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_s1omni.errors import SourceError

_HEAD = 2**16
"""Longest header that is looked at, in bytes."""
_LINE = re.compile(r"([A-Za-z][\w ]*?)\s*(?:=|:=?)\s*(.*)")
_RATIO = 1032
"""Most bytes that a byte of a gzip file can stand for."""
_META = (".mha", ".mhd")
_LOCAL = "LOCAL"


@dataclass(frozen=True, slots=True)
class TextHeader:
    """The header of a file."""

    path: Path
    facts: Mapping[str, str]
    """Key in small letters -> value."""
    length: int
    """Bytes before the voxels, if they are in the same file."""

    @property
    def is_metaimage(self) -> bool:
        return self.path.name.lower().endswith(_META)

    @property
    def compressed(self) -> bool:
        """Whether the voxels are packed, or written as text."""
        if self.is_metaimage:
            return self.facts.get("compresseddata", "false").lower() == "true"
        return self.facts.get("encoding", "raw").lower() != "raw"

    @property
    def streams(self) -> bool:
        """Whether ITK reads parts of the voxels alone."""
        return self.is_metaimage and not self.compressed

    @property
    def anatomical(self) -> bool:
        """Whether lengths are those in a patient, in millimetres unless the header names a unit."""
        return self.is_metaimage or "space" in self.facts

    @property
    def byte_order(self) -> Literal["<", ">"]:
        """Order of the bytes of a number, as numpy writes it."""
        large = any(self.facts.get(f"{key}byteordermsb", "").lower() == "true" for key in ("binarydata", "element"))
        return ">" if large or self.facts.get("endian", "little").lower() == "big" else "<"

    @property
    def units(self) -> tuple[str, ...]:
        """The units that the header names, of x, y, z; empty if it names none."""
        if self.is_metaimage:
            unit = self.facts.get("distanceunits", "?").strip('"').lower()
            return () if unit == "?" else (unit,) * 3
        text = self.facts.get("space units") or self.facts.get("units") or ""
        return tuple(unit.strip().lower() for unit in re.findall(r'"([^"]*)"', text))

    @property
    def data_file(self) -> Path | None:
        """The file of the voxels; None if they are spread over several, or in a way that is not known."""
        name = self.facts.get("elementdatafile" if self.is_metaimage else "data file", "").strip()
        name = name or self.facts.get("datafile", "")
        if name == _LOCAL or (not name and not self.is_metaimage):
            return self.path
        if not name or name.startswith("LIST") or "%" in name:
            return None
        return self.path.parent / name

    def raw_at(self, size: int) -> tuple[Path, int] | None:
        """Return file and offset of voxels that lie in it as they are; None if they do not, or not for certain."""
        file = self.data_file
        if file is None or self.compressed:
            return None
        offset = self.length if file == self.path else 0
        return (file, offset) if file.stat().st_size == offset + size else None

    def packed(self) -> bytes:
        """Return the packed voxels of a MetaImage, whose :attr:`data_file` is known."""
        file = self.data_file
        with (file or self.path).open("rb") as stream:
            stream.seek(self.length if file == self.path else 0)
            return stream.read()

    def check(self, needed: int) -> None:
        """Refuse a file that is too small for its voxels, before memory is taken for them.

        Parameters
        ----------
        needed : int
            Bytes of all voxels.

        Raises
        ------
        SourceError
            If it is, or if the file with the voxels is missing.
        """
        file = self.data_file
        if file is None:
            return
        if not file.is_file():
            raise SourceError(
                f"{self.path} keeps its voxels in {file.name}, which is missing",
                remedy=f"copy {file.name} into the same folder",
                path=str(self.path),
            )
        size = file.stat().st_size
        there = size - (self.length if file == self.path else 0)
        packed = self.facts.get("compresseddatasize", "")
        if self.compressed and packed.isdecimal():
            most, needed = there, int(packed)
        else:
            most = there * _RATIO if self.compressed else there
        if most < needed:
            raise SourceError(
                f"{file} is cut off: it has {size:,} bytes and its header tells of {needed:,}",
                remedy="copy it again, or wait until the program that writes it has finished",
                path=str(self.path),
            )


def read_header(path: Path) -> TextHeader:
    """Read the header of a file.

    Raises
    ------
    SourceError
        If the file is of another format.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    meta = path.name.lower().endswith(_META)
    if not head or (not meta and not head.startswith(b"NRRD")) or (meta and b"=" not in head[:256]):
        raise SourceError(
            f"{path} is empty (0 bytes)" if not head else f"{path} has no header of {'MetaImage' if meta else 'NRRD'}",
            remedy="copy it again, or give it the ending of its format",
            path=str(path),
        )
    facts, at = {}, 0
    for line in head.splitlines(keepends=True):
        at += len(line)
        text = line.decode("latin-1").strip()
        if not text and not meta:
            break
        found = _LINE.match(text)
        if found is None or text.startswith("#"):
            continue
        facts[found[1].lower()] = found[2].strip()
        if found[1].lower() == "elementdatafile":
            break
    return TextHeader(path, facts, at)
