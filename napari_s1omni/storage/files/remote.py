"""Reading what lies behind a URL, through fsspec. Nothing is written there."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import full_path, is_url, name_in
from napari_s1omni.errors import SourceError

TIMEOUT = 60
"""Seconds without an answer after which reading fails."""
_RANGE = 2**20
"""Bytes of a part of a file that is read by parts."""


def remote_options(url: str, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Return the options with which fsspec opens a URL.

    Raises
    ------
    SourceError
        If the protocol is unknown, or a package for it is missing.
    """
    scheme = url.partition("://")[0].rpartition("::")[2]
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise SourceError(
            f"{url} has the protocol {scheme}",
            "a source is a path, or a URL of http, https, s3 or another protocol of fsspec",
        ) from error
    except ImportError as error:
        raise SourceError(
            f"{url} is a remote store, and a package to read it is missing ({error})",
            "the extra 'remote' is installed",
            'run pip install "napari-s1omni[remote]"',
        ) from error
    if scheme not in ("http", "https"):
        return {}
    from aiohttp import ClientTimeout

    return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)}}


def read_error(what: str, error: BaseException) -> SourceError:
    """Return the error for something that cannot be read; its ``transient`` fact says whether a retry may help."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    refused = type(error).__name__ in ("NoCredentialsError", "ClientResponseError")
    if isinstance(error, PermissionError) or (refused and getattr(error, "status", 0) < 500):
        return SourceError(
            f"the server refuses access to {what} ({words})",
            "it is public, or this machine has credentials for it",
            "check the address and the credentials; for a public bucket set FSSPEC_S3_ANON=true",
            transient=False,
        )
    if isinstance(error, TimeoutError | ConnectionError) or type(error).__module__.startswith(("aiohttp", "botocore")):
        return SourceError(
            f"{what} did not arrive ({words})",
            "a server must answer within a minute",
            "check the connection and the server, then run it again",
            transient=True,
        )
    return SourceError(
        f"{what} cannot be read ({words})",
        "its bytes must be as they were written",
        "copy it again from the original, or leave its region out",
        transient=False,
    )


def read_remote(url: str) -> bytes | None:
    """Return the content of a small file behind a URL; None if it does not exist.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    with _errors(url):
        files, path = _opened(url)
        try:
            data: bytes = files.cat_file(path)
        except (FileNotFoundError, IsADirectoryError):
            return None
        return data


def list_remote(url: str) -> list[str] | None:
    """Return the names in a folder behind a URL; None if it does not exist or its server lists no folders."""
    files, path = _opened(url.rstrip("/") + "/")
    try:
        found = files.ls(path, detail=False)
    except Exception:  # without a list, callers ask for the names that they know
        return None
    return sorted({name_in(str(entry)) for entry in found} - {""})


def open_ranges(url: str) -> Any | None:
    """Open a file behind a URL whose parts are read on demand; None if its server gives no parts of files.

    Raises
    ------
    SourceError
        If it does not exist or cannot be read.
    """
    with _errors(url):
        files, path = _opened(url)
        opened = files.open(path, "rb", block_size=_RANGE, cache_type="blockcache")
        try:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - 1))
            opened.read(1)
            opened.seek(0)
        except ValueError:
            # A server that sends the whole file instead, or a stream without a size.
            opened.close()
            return None
        return opened


def local_copy(where: str | os.PathLike[str]) -> Path:
    """Return the local path of a file; one behind a URL is copied into a folder that is removed when Python ends.

    Raises
    ------
    SourceError
        If it does not exist behind the URL, or cannot be read.
    JobError
        If the path cannot be one of this machine.
    """
    text = full_path(where)
    if not is_url(text):
        return Path(text)
    target = new_folder() / (name_in(text) or "file")
    with _errors(text):
        files, path = _opened(text)
        files.get_file(path, str(target))
    return target


def new_folder() -> Path:
    """Return a new empty folder for copies, removed when Python ends."""
    return Path(tempfile.mkdtemp(dir=_folder_of_copies()))


@functools.cache
def _folder_of_copies() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="s1omni-copies-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    options = remote_options(url)
    import fsspec

    files, path = fsspec.core.url_to_fs(url, **options)
    return files, str(path)


@contextlib.contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"there is nothing at {url}", remedy="check the address") from error
    except Exception as error:
        raise read_error(url, error) from error
