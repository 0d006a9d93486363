"""JSON and tables on the terminal; nothing here knows plans or results."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from napari_s1omni.system.streams import is_unicode


def print_json(data: Any) -> None:
    """Print JSON on standard output."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=not is_unicode(sys.stdout)))


def print_rows(title: str, rows: dict[str, str]) -> None:
    """Print a table of two columns on standard output."""
    out, table = console(), Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows.items():
        # Brackets in paths and prompts are not markup.
        table.add_row(name, text.replace("[", r"\["))
    # On a line of its own, which is never broken: it may be a path.
    out.print(title, style="bold", markup=False, soft_wrap=True)
    out.print(table)


class ProgressConsole(Console):
    """A console on standard error. If nobody reads it any more it falls silent, and the run goes on."""

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(stderr=True, quiet=quiet)

    def on_broken_pipe(self) -> None:
        """Write nowhere from now on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def console() -> Console:
    """Return a console on standard output; 140 columns wide if that is not a terminal."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)
