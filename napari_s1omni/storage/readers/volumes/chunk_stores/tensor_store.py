"""Open N5 and precomputed arrays with tensorstore, in a folder or behind a URL of http, https, s3 or gs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import is_url
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import TIMEOUT, read_error
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_RETRIES = {"max_retries": 3, "initial_delay": "0.5s", "max_delay": "2s"}
_CONTEXT = {
    "http_request_retries": _RETRIES,
    "s3_request_retries": _RETRIES,
    "gcs_request_retries": _RETRIES,
}
_UNREACHABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CURL error", "ABORTED")
"""Words of tensorstore for a server that does not answer."""
_REFUSED = ("PERMISSION_DENIED", "UNAUTHENTICATED", "HTTP response code: 401", "HTTP response code: 403")


def read_document(where: str, name: str) -> dict[str, Any] | None:
    """Return a JSON document in a folder or behind a URL; None if it is missing.

    Raises
    ------
    SourceError
        If it is damaged or does not arrive.
    """
    place = f"{where.rstrip('/')}/{name}"
    if is_url(where):
        content = _remote_content(where, name)
    else:
        try:
            content = Path(place).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    if content is None:
        return None
    try:
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError(f"it holds {type(found).__name__}, not an object")
    except ValueError as error:
        raise SourceError(
            f"{place} cannot be understood ({error})",
            "it is a JSON object, as its program wrote it",
            "copy it again",
            path=where,
        ) from error
    return found


def open_tensor(driver: str, where: str, cached: int = 0, **options: Any) -> OpenTensor:
    """Open an array; its dimensions are reversed, so that x is the last, and begin at 0.

    Parameters
    ----------
    driver : str
        ``n5`` or ``neuroglancer_precomputed``.
    where : str
        Folder or URL of the array.
    cached : int
        Bytes of what was read that are kept for the next read.
    **options : object
        Further members of the specification.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    import tensorstore

    context = {**_CONTEXT, "cache_pool": {"total_bytes_limit": cached}}
    spec = {"driver": driver, "kvstore": _key_values(where), "context": context, **options}
    try:
        array = tensorstore.open(spec, read=True, open=True, recheck_cached_data="open").result(timeout=TIMEOUT)
    except Exception as error:
        raise _tensor_error(where, error) from error
    return OpenTensor(array[tensorstore.d[:].translate_to[0]].T)


@dataclass(frozen=True, slots=True)
class OpenTensor:
    """A tensorstore array that is sliced as numpy is."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels per dimension."""
        return tuple(int(n) for n in self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        found: np.dtype[Any] = np.dtype(self.array.dtype.numpy_dtype)
        return found

    @property
    def chunks(self) -> tuple[int, ...]:
        """Smallest piece that is decoded alone, in pixels."""
        return tuple(
            int(n) or m for n, m in zip(self.array.chunk_layout.read_chunk.shape or self.shape, self.shape, strict=True)
        )

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            found: NDArray[Any] = np.asarray(self.array[index].read(order="C").result(timeout=TIMEOUT))
        except Exception as error:
            raise _plain(error) from error
        return found


@dataclass(frozen=True, slots=True)
class TensorPixels(StoredPixels):
    """The pixels of a tensorstore array."""

    tensor: OpenTensor
    fresh: ClassVar[bool] = True

    @classmethod
    def of(cls, tensor: OpenTensor, where: str, axes: str) -> TensorPixels:
        """Wrap an array."""
        chunks = tuple(min(n, m) for n, m in zip(tensor.chunks, tensor.shape, strict=True))
        return cls(where, axes, tensor.shape, tensor.dtype, chunks, tensor)

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        return self.tensor[index]


def _key_values(where: str) -> dict[str, Any]:
    """Return the place of a folder as tensorstore wants it."""
    if not is_url(where):
        return {"driver": "file", "path": f"{where.rstrip('/')}/"}
    scheme, _, rest = where.partition("://")
    bucket, _, path = rest.partition("/")
    path = f"{path.rstrip('/')}/" if path else ""
    if scheme in ("http", "https"):
        return {"driver": "http", "base_url": where.rstrip("/") + "/"}
    if scheme in ("gs", "gcs"):
        return {"driver": "gcs", "bucket": bucket, "path": path}
    if scheme in ("s3", "s3a"):
        return {"driver": "s3", "bucket": bucket, "path": path, **_s3_options()}
    raise SourceError(
        f"{where} has the protocol {scheme}",
        "N5 and precomputed volumes are read from folders, http, https, s3 and gs",
        "give one of these",
    )


def _s3_options() -> dict[str, Any]:
    """Return the settings of fsspec for S3, which hold for every format, in the words of tensorstore."""
    try:
        from fsspec.config import conf
    except ImportError:
        return {}
    settings: Mapping[str, Any] = conf.get("s3", {})
    options: dict[str, Any] = {}
    if str(settings.get("anon", "")).lower() in ("true", "1"):
        options["aws_credentials"] = {"type": "anonymous"}
    if endpoint := settings.get("endpoint_url"):
        options |= {"endpoint": str(endpoint), "aws_region": str(settings.get("region_name", "us-east-1"))}
    return options


def _remote_content(where: str, name: str) -> bytes | None:
    import tensorstore

    try:
        store = tensorstore.KvStore.open({**_key_values(where), "context": _CONTEXT}).result(timeout=TIMEOUT)
        found = store.read(name).result(timeout=TIMEOUT)
    except SourceError:
        raise
    except Exception as error:
        raise _tensor_error(f"{where.rstrip('/')}/{name}", error) from error
    return bytes(found.value) if found.state == "value" else None


def _tensor_error(where: str, error: Exception) -> SourceError:
    return read_error(where, _plain(error))


def _plain(error: Exception) -> Exception:
    """Return an error of tensorstore as the error of Python that it means."""
    words = str(error).partition(" [")[0]
    if any(mark in words for mark in _REFUSED):
        return PermissionError(words)
    if isinstance(error, TimeoutError) or any(mark in words for mark in _UNREACHABLE):
        return ConnectionError(words or "no answer within a minute")
    return ValueError(words) if isinstance(error, ValueError) else error
