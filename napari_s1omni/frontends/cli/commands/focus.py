"""``s1omni focus``: tell a run that goes on elsewhere which place matters most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.control import Focus, write_control


def focus(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder a run is writing.", show_default=False)],
    place: Annotated[str, typer.Argument(metavar="Y,X", help="A px of the source, or T,Z,Y,X.", show_default=False)],
) -> None:
    """Let a run do the blocks nearest to a place first; its result does not depend on it."""
    write_control(output, focus=_point(place))


def _point(text: str) -> Focus:
    try:
        numbers = [float(part) for part in text.split(",")]
        t, z, y, x = numbers if len(numbers) == 4 else [0.0, 0.0, *numbers]
    except ValueError:
        raise JobError(f"place {text!r}", "two numbers y,x or four t,z,y,x", "write 512,512") from None
    return t, z, y, x
