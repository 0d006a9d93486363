"""Arguments that name a result, or a file or folder of this machine, as every command reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.core.paths import local_path


def local_result(text: str) -> Path:
    """Return the folder of a result that a command changes or controls.

    Raises
    ------
    JobError
        If it is behind a URL.
    """
    return local_path(text, "result", "call the command on the machine where the result lies")


def file_to_write(text: str | Path) -> Path:
    """Return the path of a file or folder to write."""
    return local_path(text, "file")


def folder_to_read(text: str | Path) -> Path:
    """Return the path of a folder that is read."""
    return local_path(text, "folder", "download it and give its local folder")


ResultPlace = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder or URL of a result.", show_default=False)]
"""A result that is only read, as it was given."""
LocalResult = Annotated[
    Path, typer.Argument(metavar="OUTPUT", help="Folder of a result.", show_default=False, parser=local_result)
]
"""A result that is changed, or whose run is controlled."""
ChosenImage = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="NAME|NUMBER",
        help="Image of a file that holds several: its name, or its number from 0; as in scan.lif::NAME.",
        show_default=False,
    ),
]
"""The image of a source that is given by its own option."""
