"""A copy on disk of a layer that only this process can read, as far as other processes need it.

It is an OME-Zarr image of the size of the layer, in which only the parts exist that runs read. What has to be
measured on the whole layer is stored with it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import DiskFull
from napari_s1omni.planning.consensus import Consensus
from napari_s1omni.planning.cost import SPILL_EDGE
from napari_s1omni.planning.zarr_folder import read_attributes
from napari_s1omni.settings import CACHE
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.result.metadata import KEY
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source
from napari_s1omni.system.processes import is_alive, start_time

_OLD = 30 * 24 * 3600.0
"""Seconds after which a copy that nobody is known to need is deleted."""
OnBytes = Callable[[int, int], None]
"""Called with the bytes copied and the bytes to copy; it may raise to stop."""

_MEASURED = "measured"
_USERS = f"{WORK}/users.json"
"""The process that made a copy, the results made from it, and what was measured on the layer for them."""
_COMPRESSED = 0.5
"""Size of a copy on disk as a share of its pixels."""
_SMALL = 64 * 2**20
"""Bytes up to which a colour picture is copied whole: all its pixels tell whether it is grey in truth."""


@dataclass(frozen=True, slots=True)
class LayerMeasures:
    """What is measured on a whole layer; a copy of a part keeps it."""

    normalization: Normalization
    digest: str
    """Fingerprint of the content of the layer."""
    flat: bool
    """Whether its pixels form flat areas of equal numbers, as labels do."""
    consensus: Mapping[tuple[int, ...], Consensus] = field(default_factory=dict)
    """What its objects have in common, by the channels that an engine sees."""
    described: Mapping[tuple[int, ...], NDArray[np.float32]] = field(default_factory=dict)
    """Features of some of its tiles, likewise."""


def read_measures(uri: str | None) -> LayerMeasures | None:
    """Return what was measured on a layer whose copy lies at a path; None for any other image."""
    if uri is None or not (Path(uri) / _USERS).is_file():
        return None
    found = (read_attributes(Path(uri)).get(KEY) or {}).get(_MEASURED)
    if not found:
        return None
    users: dict[str, Any] = json.loads((Path(uri) / _USERS).read_text(encoding="utf-8"))
    consensus = {_channels(key): Consensus.from_json(known) for key, known in users.get("consensus", {}).items()}
    described = {_channels(key): np.asarray(known, np.float32) for key, known in users.get("described", {}).items()}
    normalization = Normalization.from_json(found["normalization"])
    return LayerMeasures(normalization, found["digest"], found["flat"], consensus, described)


def _key(channels: tuple[int, ...]) -> str:
    return ",".join(map(str, channels))


def _channels(key: str) -> tuple[int, ...]:
    return tuple(map(int, key.split(",")))


class LayerCopy:
    """The copy of one layer; it grows with the parts that are asked for.

    Parameters
    ----------
    source : Source
        The layer.
    path : Path
        A folder that does not exist yet.
    measures : LayerMeasures
    """

    def __init__(self, source: Source, path: Path, measures: LayerMeasures) -> None:
        self._source = source
        self._done: set[tuple[int, ...]] = set()
        self._results: list[str] = []
        self._consensus: dict[str, dict[str, Any]] = {}
        self._described: dict[str, list[list[float]]] = {}
        spec = source.spec
        self._block = tuple(
            min(n, SPILL_EDGE) if a in "yx" else n if a == "c" and spec.rgb else 1
            for a, n in zip(spec.axes, spec.shape, strict=True)
        )
        measured = {"normalization": measures.normalization.to_json(), "digest": measures.digest, "flat": measures.flat}
        self._store = ResultStore.create(
            path,
            target=spec.replace(source=None),
            block=self._block,
            attributes={_MEASURED: measured},
            name="layer",
            disk=Disk(durable=False),
        )
        self._write_users()

    @property
    def path(self) -> Path:
        """Its folder, opened by :func:`~napari_s1omni.storage.source.open_source` with the layer's axes and sizes."""
        return self._store.path

    @property
    def is_needed(self) -> bool:
        """Whether a result made from it is still there."""
        return any(_is_result(path) for path in self._results)

    def add(self, boxes: Sequence[Sequence[slice]], on_bytes: OnBytes = lambda done, total: None) -> None:
        """Copy what is missing of some boxes, chunk by chunk.

        Parameters
        ----------
        boxes : sequence of boxes
            In source pixels, one slice per axis each.
        on_bytes : callable

        Raises
        ------
        DiskFull
            If there is not enough space.
        """
        spec = self._source.spec
        if spec.rgb and spec.nbytes <= _SMALL:
            boxes = [tuple(slice(0, n) for n in spec.shape)]
        todo = [at for at in dict.fromkeys(itertools.chain(*map(self._origins, boxes))) if at not in self._done]
        total, done = sum(map(self._bytes, todo)), 0
        free = shutil.disk_usage(self.path).free
        if free < total * _COMPRESSED:
            raise DiskFull(
                f"{self.path.parent} has {format_bytes(free)} free, and a copy of the image may need "
                f"{format_bytes(total * _COMPRESSED)}",
                remedy=f"save the image to a file and give its path, choose a smaller region, or set {CACHE.name} to "
                "another folder",
                free=free,
                forecast=int(total * _COMPRESSED),
            )
        for origin in todo:
            on_bytes(done, total)
            self._store.write_block(origin, self._source.read(self._part(origin)))
            self._done.add(origin)
            done += self._bytes(origin)
        self._store.renew_pyramid([tuple(o // b for o, b in zip(at, self._block, strict=True)) for at in todo])
        on_bytes(total, total)

    def use_for(self, result: Path | str) -> None:
        """Keep the copy as long as this result exists: resuming and measuring read it."""
        if str(result) not in self._results:
            self._results.append(str(result))
            self._write_users()

    def keep(
        self,
        consensus: Mapping[tuple[int, ...], Consensus],
        described: Mapping[tuple[int, ...], NDArray[np.float32]],
    ) -> None:
        """Keep what was measured on the layer, by channels: the copy may lack the places."""
        known = {_key(channels): found.to_json() for channels, found in consensus.items()}
        features = {_key(channels): found.tolist() for channels, found in described.items()}
        if (known, features) != (self._consensus, self._described):
            self._consensus, self._described = known, features
            self._write_users()

    def remove(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _origins(self, box: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        steps = (range(b.start // n * n, b.stop, n) for b, n in zip(box, self._block, strict=True))
        return itertools.product(*steps)

    def _part(self, origin: tuple[int, ...]) -> tuple[slice, ...]:
        shape = self._source.spec.shape
        return tuple(slice(o, min(o + b, n)) for o, b, n in zip(origin, self._block, shape, strict=True))

    def _bytes(self, origin: tuple[int, ...]) -> int:
        size = self._source.spec.np_dtype.itemsize
        for part in self._part(origin):
            size *= part.stop - part.start
        return size

    def _write_users(self) -> None:
        users = {
            "pid": os.getpid(),
            "born": start_time(),
            "host": socket.gethostname(),
            "results": self._results,
            "consensus": self._consensus,
            "described": self._described,
        }
        file = self.path / _USERS
        file.parent.mkdir(exist_ok=True)
        temporary = file.with_suffix(".part")
        temporary.write_text(json.dumps(users), encoding="utf-8")
        temporary.replace(file)


def remove_unneeded(folder: Path) -> None:
    """Delete the copies in a folder whose process has ended and whose results are gone."""
    for file in folder.glob(f"*/{_USERS}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            users: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            here = users["host"] == socket.gethostname()
            if here and not is_alive(users["pid"], users["born"]) and not any(map(_is_result, users["results"])):
                shutil.rmtree(file.parents[1], ignore_errors=True)


def remove_old(folder: Path, in_use: Callable[[], Collection[str] | None]) -> None:
    """Delete the copies of versions that did not note which results need them, once they are a month old.

    Parameters
    ----------
    folder : Path
    in_use : callable
        Returns the sources of all results that are known, or None if not all of them can be read; then nothing is
        deleted. Only called if there are such copies.
    """
    with contextlib.suppress(OSError):
        old = [path for path in folder.glob("*.zarr") if not (path / _USERS).exists()]
        old = [path for path in old if time.time() - path.stat().st_mtime > _OLD]
        if not old or (used := in_use()) is None:
            return
        for path in old:
            if str(path) not in used:
                shutil.rmtree(path, ignore_errors=True)


def _is_result(path: str) -> bool:
    return (Path(path) / WORK).is_dir()
