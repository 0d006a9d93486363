"""The XML of BigDataViewer and BigStitcher: views, their attributes, and where they lie."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

MARK = b"<SpimData"
"""Begins the XML of BigDataViewer."""
_LARGEST = 256 * 2**20
_MOST_TIMES = 1_000_000
_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Setup:
    """One view of every time point: a channel of a tile at an angle."""

    number: int
    name: str = ""
    size: tuple[int, ...] = ()
    """Pixels along z, y and x."""
    voxel: tuple[float, ...] = ()
    """Voxel size along z, y and x; empty if it is not given."""
    unit: str = ""
    attributes: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Name of an attribute such as ``channel``, ``angle``, ``tile`` -> its number and its own name."""


@dataclass(frozen=True, slots=True)
class SpimData:
    """What the XML says."""

    setups: tuple[Setup, ...]
    times: tuple[int, ...]
    """Numbers of the time points."""
    loader: str
    """Format of the pixels, such as ``bdv.hdf5``."""
    pixels: Path
    """File or folder of the pixels."""
    transforms: Mapping[tuple[int, int], NDArray[Any]]
    """Time point and setup -> matrix (3, 4) from pixels x, y, z to the world."""
    missing: frozenset[tuple[int, int]]
    """Views that were never recorded."""


def read_spim_data(path: Path) -> SpimData:
    """Read the XML.

    Raises
    ------
    SourceError
        If it is damaged, or not the XML of BigDataViewer.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        root = ElementTree.parse(path).getroot()
        return _read(root, path)
    except (ElementTree.ParseError, ValueError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} cannot be read as the XML of BigDataViewer ({type(error).__name__}: {error})",
            "it is as Fiji writes it, with SpimData/SequenceDescription",
            "save it again from BigDataViewer or BigStitcher",
            path=str(path),
        ) from error


def _read(root: Any, path: Path) -> SpimData:
    sequence = root.find("SequenceDescription")
    if root.tag != "SpimData" or sequence is None:
        raise ValueError(f"its element is {root.tag}")
    loader = sequence.find("ImageLoader")
    place = next(iter(loader), None)
    # Some programs name the file in the element itself, others in an element of its own.
    inside = place.text if place is not None else loader.text
    base = path.parent / (root.findtext("BasePath") or ".").strip()
    named = {
        f"{group.get('name')} {item.findtext('id')}": (item.findtext("name") or "").strip()
        for group in sequence.iterfind("ViewSetups/Attributes")
        for item in group
    }
    transforms = {
        (int(view.get("timepoint")), int(view.get("setup"))): _matrix(view)
        for view in root.iterfind("ViewRegistrations/ViewRegistration")
    }
    missing = frozenset(
        (int(view.get("timepoint")), int(view.get("setup"))) for view in sequence.iterfind("MissingViews/MissingView")
    )
    setups = tuple(_setup(node, named) for node in sequence.iterfind("ViewSetups/ViewSetup"))
    times = _times(sequence.find("Timepoints"))
    return SpimData(setups, times, loader.get("format", ""), base / (inside or "").strip(), transforms, missing)


def _setup(node: Any, named: Mapping[str, str]) -> Setup:
    voxel = node.find("voxelSize")
    attributes = {}
    for item in node.find("attributes") if node.find("attributes") is not None else ():
        number = (item.text or "0").strip()
        attributes[item.tag] = (int(number), named.get(f"{item.tag} {number}", ""))
    return Setup(
        int(node.findtext("id")),
        (node.findtext("name") or "").strip(),
        tuple(int(n) for n in reversed((node.findtext("size") or "").split())),
        tuple(float(n) for n in reversed((voxel.findtext("size") or "").split())) if voxel is not None else (),
        (voxel.findtext("unit") or "").strip() if voxel is not None else "",
        attributes,
    )


def _times(node: Any) -> tuple[int, ...]:
    if node is None:
        return (0,)
    if node.get("type") == "range":
        first, last = int(node.findtext("first")), int(node.findtext("last"))
        if last - first > _MOST_TIMES:
            raise ValueError(f"{last - first} time points")
        return tuple(range(first, last + 1))
    found: list[int] = []
    for part in re.split(r"[,\s]+", (node.findtext("integerpattern") or "0").strip()):
        # Fiji writes 0-10, or 0-10:2 for every second one.
        begin, _, rest = part.partition("-")
        end, _, step = rest.partition(":")
        found += range(int(begin), int(end or begin) + 1, int(step or 1))
    return tuple(found)


def _matrix(view: Any) -> NDArray[Any]:
    """Multiply the transforms of a view; the last one in the list is applied to the pixels first."""
    product = np.eye(4)
    for text in (node.text or "" for node in view.iterfind("ViewTransform/affine")):
        step = np.eye(4)
        step[:3] = np.array([float(n) for n in text.split()]).reshape(3, 4)
        product = product @ step
    return product[:3]


def place_of(matrix: NDArray[Any] | None, voxel: Sequence[float], notes: list[str]) -> dict[str, float]:
    """Return the world position of the first pixel by axis; empty with a note where pixels are rotated or sheared.

    Parameters
    ----------
    matrix : ndarray (3, 4) or None
        From pixels x, y, z to the world.
    voxel : sequence of float
        Voxel size along z, y and x.
    notes : list of str
    """
    if matrix is None or len(voxel) != 3:
        return {}
    linear, shift = matrix[:, :3], matrix[:, 3]
    size = np.array(voxel[::-1])
    ratios = size / np.diag(linear) if np.all(np.diag(linear) > 0) else np.zeros(3)
    straight = np.allclose(linear, np.diag(np.diag(linear)), atol=_TOLERANCE * max(1e-12, np.abs(linear).max()))
    if not straight or not ratios.all() or not np.allclose(ratios, ratios[0], rtol=_TOLERANCE):
        notes.append("the registration rotates, mirrors, shears or scales the view; pixels are kept as stored")
        return {}
    # BigStitcher counts its world in pixels of x.
    return dict(zip("xyz", (float(v) for v in shift * ratios[0]), strict=True))
