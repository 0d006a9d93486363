"""``s1omni engines``: list the engines."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from napari_s1omni.engine import registry
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.errors import EngineError
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def engines(
    folder: Annotated[str | None, typer.Argument(help="Show only this engine: a name, or a folder of weights.")] = None,
    json: Json = False,
) -> None:
    """List the engines, their operations, and whether they work on this machine."""
    listed = {folder: registry.describe(folder)} if folder else registry.list_engines()
    found = {name: str(entry) if isinstance(entry, EngineError) else entry for name, entry in listed.items()}
    chosen = {operation: registry.describe("auto", operation).name for operation in registry.AUTO}
    if json:
        described = {n: _flat(d) if not isinstance(d, str) else {"missing": d} for n, d in found.items()}
        print_json({"engines": described, "auto": chosen})
        return
    for name, description in found.items():
        print_rows(name, {"": description} if isinstance(description, str) else _rows(description))
        typer.echo("")
    if not folder:
        print_rows("'auto' uses", chosen)


def _flat(description: EngineDescription) -> dict[str, Any]:
    facts: dict[str, Any] = dataclasses.asdict(description)
    facts.update(facts.pop("host"))
    return facts


def _rows(description: EngineDescription) -> dict[str, str]:
    limits = description.limits
    rows = {
        "title": description.title,
        "operations": ", ".join(description.operations),
        "targets": ", ".join(description.targets),
        "tiles": f"{description.tile_size} px, overlap {description.overlap} px; "
        f"generates {limits.min_size} to {limits.max_size} px in multiples of {limits.multiple_of}",
        "thinks": description.think.replace("_", " "),
        "revision": description.revision,
        "licence": description.weights_license,
        "generates": "yes; its images are marked as generated" if description.generates else "no; it computes",
    }
    return {name: text for name, text in rows.items() if text}
