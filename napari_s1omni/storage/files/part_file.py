"""Write a file under a temporary name and rename it once it is complete."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import StoreError, StoreExists
from napari_s1omni.storage.files.disk import disk_errors


def check_file(path: Path) -> None:
    """Refuse the path of a file to write that is a folder, or lies in a folder that does not exist.

    Raises
    ------
    StoreError
        If it is either.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder", "a file is written here", "add the name of a file to it")
    if not path.parent.is_dir():
        raise StoreError(
            f"there is no folder {path.parent} for {path.name}", remedy="make it, or choose another folder"
        )


@contextlib.contextmanager
def part_file(path: Path | str, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place when the ``with`` block ends without an error.

    Parameters
    ----------
    path : Path or str
        The final file, on this machine.
    overwrite : bool
        Whether an existing file may be replaced.

    Yields
    ------
    Path
        Where to write. It is deleted if the block fails.

    Raises
    ------
    JobError
        If the path is a URL.
    StoreExists
        If the file exists and may not be replaced.
    StoreError, DiskFull
        If the file cannot be written.
    """
    path = local_path(path, "file")
    check_file(path)
    if path.exists() and not overwrite:
        raise StoreExists(f"{path} already exists", remedy="choose another name, or pass --overwrite")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with disk_errors("writing", path):
            yield part
            part.replace(path)
    finally:
        # On a read-only disk this fails too; the error that says why is on its way already.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
