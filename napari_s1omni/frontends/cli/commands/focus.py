"""``s1omni focus``: choose the position that a run processes first."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.control import Focus, write_control
from napari_s1omni.frontends.cli.arguments import LocalResult
from napari_s1omni.frontends.cli.commands.attach import require_running


def focus(
    output: LocalResult,
    place: Annotated[str, typer.Argument(metavar="Y,X", help="Pixel of the source; or T,Z,Y,X.", show_default=False)],
) -> None:
    """Make a run process the blocks near a position first. The result stays the same."""
    point = _point(place)
    require_running(output)
    write_control(output, focus=point)


def _point(text: str) -> Focus:
    try:
        numbers = [float(part) for part in text.split(",")]
        t, z, y, x = numbers if len(numbers) == 4 else [0.0, 0.0, *numbers]
    except ValueError:
        raise JobError(f"position {text!r}", "two numbers y,x or four t,z,y,x", "write 512,512") from None
    return t, z, y, x
