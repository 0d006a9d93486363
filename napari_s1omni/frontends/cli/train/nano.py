"""``s1omni train nano``: train the bundled checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.training.recipe import Recipe

RECIPE = Path(__file__).parents[3] / "training/configs/nano.yaml"
"""The recipe of the bundled checkpoint."""


def nano(
    config: Annotated[Path, typer.Option("--config", help="Recipe in YAML.", show_default="the bundled one")] = RECIPE,
    only: Annotated[
        Literal["pool", "thinker", "thoughts", "editor", "export"] | None,
        typer.Option("--only", help="Run a single step."),
    ] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", help="Stop after this many minutes and keep the state.")
    ] = None,
    decay: Annotated[
        float | None,
        typer.Option("--decay", help="Finish a copy of an endless training in these minutes, and export it."),
    ] = None,
) -> None:
    """Train the small checkpoint that comes with the package; run again to continue an interrupted training."""
    # A recipe that cannot be read is refused before torch is loaded, which takes seconds.
    recipe = Recipe.open(config)
    try:
        from napari_s1omni.training.nano import main
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"training needs the module '{error.name}'", remedy="install it with: pip install 'napari_s1omni[train]'"
        ) from error
    typer.echo(main(recipe, only, limit, decay))
