"""``s1omni bench think``: what writing a thought costs beside the network."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.benchmarks.thinking import thinking
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def think(
    tokens: Annotated[int, typer.Option(min=64, help="Length of a thought in tokens.")] = 8192,
    rows: Annotated[int, typer.Option(min=1, help="Thoughts written at once.")] = 8,
    json: Json = False,
) -> None:
    """Time choosing and streaming of tokens for a vocabulary of 151,936, in milliseconds a token a row."""
    found = thinking(tokens, rows)
    if json:
        print_json(found)
    else:
        print_rows(
            "Thinking", {name: f"{value:.3g}" if "_ms" in name else f"{value:,}" for name, value in found.items()}
        )
