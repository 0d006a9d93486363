"""A folder that is written to for hours must stay the same folder: a deleted one is not made again unasked."""

from __future__ import annotations

from pathlib import Path

from napari_s1omni.errors import StoreMissing


class StandingFolder:
    """Notices that a folder was deleted, moved, or replaced by another one of the same name.

    Parameters
    ----------
    path : Path
        It may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def check(self) -> None:
        """Compare with the folder that was there at the first call that found one.

        Raises
        ------
        StoreMissing
            If it is gone, or another one.
        """
        try:
            found = self._path.stat()
            now = (found.st_dev, found.st_ino)
        except (FileNotFoundError, NotADirectoryError):
            now = None
        self._seen = self._seen or now
        if now != self._seen:
            what = "deleted or moved" if now is None else "replaced by another folder"
            raise folder_gone(self._path.parent, what)


def folder_gone(folder: Path, what: str = "deleted or moved") -> StoreMissing:
    """Return the error for an output that was taken away from a run."""
    return StoreMissing(
        f"{folder} was {what} while a run was writing to it",
        "what was finished is where that folder is now, if anywhere",
        "put the folder back and resume the run, or run the job again",
        path=str(folder),
    )
