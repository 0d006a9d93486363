"""A finished or running result behind a URL, which is only read."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import zarr.storage

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.remote import list_remote, new_folder, read_error, read_remote, remote_options

_SMALL_FILES = ("fingerprint.json", "status.json", "redone.json", "place.json", "uncertain_joins.csv")
"""Files in the work folder that a reader of the result may need."""
_USUAL_LOGS = ("serial.log", "driver.log", "redo.log")
"""Names of the logs of a run without worker processes, for servers that list no folders."""


class RemoteResult:
    """The store of a result behind a URL, and copies of what lies beside its arrays.

    Parameters
    ----------
    url : str
    mode : str
        ``r``.

    Raises
    ------
    StoreError
        For another mode.
    SourceError
        If the protocol is unknown, or a package for it is missing.
    """

    def __init__(self, url: str, mode: str = "r") -> None:
        if mode != "r":
            raise StoreError(f"{url} is behind a URL", "there a result is only read", "download it and change the copy")
        self.url = url.rstrip("/")
        self.store = zarr.storage.FsspecStore.from_url(self.url, storage_options=remote_options(url), read_only=True)
        """Store of zarr, for reading."""
        self.notes: tuple[str, ...] = ()
        """What could not be read."""

    @property
    def exists(self) -> bool:
        """Whether there is a Zarr group at all."""
        return self.holds("zarr.json")

    def holds(self, key: str) -> bool:
        """Whether there is a file with this key; asks the server."""
        return read_remote(f"{self.url}/{key}") is not None

    @functools.cached_property
    def work(self) -> Path:
        """A folder with copies of the journal and the small files, made at the first access."""
        self._copies.mkdir()
        for name in _SMALL_FILES:
            self._copy(name)
        self.copy_logs("journal")
        return self._copies

    def copy_logs(self, name: str) -> Path:
        """Return a folder with copies of the logs of ``journal`` or ``thoughts``, made at the first call."""
        folder = self._copies / name
        if not folder.is_dir():
            folder.mkdir(parents=True)
            listed = list_remote(f"{self.url}/{WORK}/{name}")
            if listed is None:
                self.notes += (
                    f"the server lists no folders: of the {name}, only what a run without workers writes is read",
                )
            for file in _USUAL_LOGS if listed is None else listed:
                if file.endswith(".log"):
                    self._copy(f"{name}/{file}")
        return folder

    @functools.cached_property
    def _copies(self) -> Path:
        return new_folder() / WORK

    def _copy(self, name: str) -> None:
        data = read_remote(f"{self.url}/{WORK}/{name}")
        if data is not None:
            (self._copies / name).write_bytes(data)


class RemoteArray:
    """A zarr array behind a URL whose errors name it.

    Parameters
    ----------
    array : zarr.Array
    url : str
    """

    def __init__(self, array: Any, url: str) -> None:
        self._array = array
        self._url = url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._array, name)

    def __getitem__(self, index: Any) -> Any:
        """Read pixels.

        Raises
        ------
        SourceError
            If they do not arrive.
        """
        try:
            return self._array[index]
        except IndexError:
            raise
        except Exception as error:
            raise read_error(self._url, error) from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[...], dtype)
