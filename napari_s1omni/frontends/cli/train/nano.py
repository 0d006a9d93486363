"""``s1omni train nano``: the bundled checkpoint, from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_s1omni.errors import EngineUnavailable

RECIPE = Path(__file__).parents[3] / "training/configs/nano.yaml"
"""The recipe of the bundled checkpoint."""


def nano(
    config: Annotated[Path, typer.Option("--config", help="Recipe in YAML.", show_default="the bundled one")] = RECIPE,
    only: Annotated[
        Literal["pool", "thinker", "thoughts", "editor", "export"] | None,
        typer.Option("--only", help="Do one step."),
    ] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", help="Minutes after which it stops and keeps its state.")
    ] = None,
) -> None:
    """Train the small checkpoint that comes with the package; an interrupted training goes on where it stopped."""
    try:
        from napari_s1omni.training.nano import main
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"training needs the module '{error.name}'", remedy="install it with: pip install 'napari_s1omni[train]'"
        ) from error
    typer.echo(main(config, only, limit))
