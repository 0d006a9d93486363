"""``s1omni models``: list, show and download weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.engine.s1omni.checkpoint import model_store as models
from napari_s1omni.frontends.cli.arguments import file_to_write
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, show and download models.", rich_markup_mode="rich"
)


@app.command("list")
def list_models(json: Json = False) -> None:
    """List the named models, and which are on this machine."""
    known = models.list_models()
    if json:
        print_json(
            [
                {"name": m.name, "title": m.title, "license": m.license, "folder": str(m.folder), "present": m.present}
                for m in known
            ]
        )
        return
    for model in known:
        where = f"in {model.folder}" if model.present else f"not here; get it with 's1omni models fetch {model.name}'"
        print_rows(model.name, {"title": model.title, "licence": model.license, "where": where})
        typer.echo("")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="Name of a model, or a folder with a checkpoint.")],
    json: Json = False,
) -> None:
    """Show the contents of a checkpoint without loading it."""
    layout = models.open_model(model)
    if json:
        config = layout.config.model_dump(mode="json")
        print_json(
            {"folder": str(layout.folder), "revision": layout.revision(), "parameters": layout.counts()} | config
        )
        return
    counts = layout.counts()
    rows = {
        "folder": str(layout.folder),
        "revision": layout.revision(),
        "parameters": f"{sum(counts.values()):,}",
        **{f"  {name}": f"{count:,}" for name, count in counts.items()},
        "editor": str(layout.config.transformer_config.get("_class_name", "")),
        "codec": str(layout.config.vae_config.get("_class_name", "")),
        "files": str(len(layout.shards)),
    }
    print_rows(model, rows)


@app.command()
def fetch(
    model: Annotated[str, typer.Argument(help="Name of a model, or 'owner/name' on the Hugging Face Hub.")],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder to download to.", parser=file_to_write)
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit.")] = None,
) -> None:
    """Download a model. Run it again to continue an interrupted download."""
    typer.echo(f"{model} is in {models.fetch(model, folder, revision)}")
