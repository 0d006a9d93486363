"""Open arrays and groups of Zarr 2 and 3 by their own documents.

Consolidated metadata is a copy that may be older than the store. It is read only for what has no document of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import zarr
import zarr.errors
import zarr.storage
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync

_CONSOLIDATED = ("zarr.json", ".zmetadata")
"""Documents in which a group of Zarr 3 or 2 keeps consolidated metadata."""


class RememberedStore(zarr.storage.WrapperStore[Store]):  # type: ignore[misc]  # zarr has no types here
    """A store whose missing documents are taken from its consolidated metadata.

    Parameters
    ----------
    store : Store
    documents : mapping
        Key of a document -> its text.
    """

    def __init__(self, store: Store, documents: Mapping[str, bytes]) -> None:
        super().__init__(store)
        self.inner = store
        self._documents = documents

    def _with_store(self, store: Store) -> RememberedStore:
        return type(self)(store, self._documents)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what is stored, else what is remembered."""
        found = await self._store.get(key, prototype, byte_range)
        if found is None and key in self._documents:
            return prototype.buffer.from_bytes(self._documents[key])
        return found


def open_versions(store: Store, path: str = "", first: int = 3) -> list[Any]:
    """Open the array or group at a path in each version of Zarr that it has documents of.

    Parameters
    ----------
    store : Store
    path : str
        Path inside the store.
    first : int
        Version to try first; a remote store is asked for the other one only if this one is missing.

    Returns
    -------
    list of zarr.Array or zarr.Group
        At least one, that of Zarr 3 first.

    Raises
    ------
    FileNotFoundError
        If there is no document.
    Exception
        If the document that was tried first cannot be understood.
    """
    found: list[Any] = []
    missing: FileNotFoundError | None = None
    for version in (first, 5 - first):
        try:
            with warnings.catch_warnings():
                # zarr warns about oddities of documents that do not change what is read.
                warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
                node = zarr.open(store, path=path, mode="r", zarr_format=version, use_consolidated=False)
            _check_attributes(node)
        except FileNotFoundError as error:
            missing = error
            continue
        except Exception:
            # The document that is preferred must be right; a damaged one beside it is not read anyway.
            if found:
                continue
            raise
        found.append(node)
        if not is_local(store):
            break
    if not found:
        raise missing or FileNotFoundError(path)
    return sorted(found, key=lambda node: -int(node.metadata.zarr_format))


def open_groups(store: Store) -> list[Any]:
    """Open the group of Zarr 2 at the top of a store that has the document of an array too; empty if there is none."""
    try:
        return [zarr.open_group(store, mode="r", zarr_format=2, use_consolidated=False)]
    except Exception:
        # The array was understood, so a damaged group beside it is not read.
        return []


def _check_attributes(node: Any) -> None:
    attributes = node.metadata.attributes
    if not isinstance(attributes, Mapping):
        raise TypeError(f"the attributes are not an object with keys, but {str(attributes)[:40]!r}")


def open_remembered(store: Store, path: str = "", group: str = "") -> list[Any]:
    """Open what only the consolidated metadata of a group describes.

    Parameters
    ----------
    store : Store
    path : str
        Path inside the store.
    group : str
        Path of the group that may hold consolidated metadata.

    Raises
    ------
    FileNotFoundError
        If it does not describe it either.
    """
    documents: dict[str, bytes] = {}
    prefix = f"{group}/" if group else ""
    for key in _CONSOLIDATED:
        text = sync(store.get(prefix + key, default_buffer_prototype()))
        if text is None:
            continue
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            documents |= _remembered(json.loads(text.to_bytes()), prefix)
    return open_versions(RememberedStore(store, documents), path)


def is_local(store: Store) -> bool:
    """Whether a store lies in a folder of this machine, so that looking for a file costs nothing."""
    return isinstance(store, zarr.storage.LocalStore)


def exist(store: Store, keys: Sequence[str]) -> list[bool]:
    """Whether each key is stored; a failed request counts as no."""

    async def ask() -> list[bool]:
        answers = await asyncio.gather(*(store.exists(key) for key in keys), return_exceptions=True)
        return [answer is True for answer in answers]

    answers: list[bool] = sync(ask())
    return answers


def _remembered(document: Mapping[str, Any], prefix: str) -> dict[str, bytes]:
    """Return the documents inside consolidated metadata by their keys."""
    if "zarr_consolidated_format" in document:
        entries = document["metadata"]
    else:
        inside = (document.get("consolidated_metadata") or {}).get("metadata") or {}
        entries = {f"{name}/zarr.json": entry for name, entry in inside.items()}
    return {prefix + key: json.dumps(entry).encode() for key, entry in entries.items()}
