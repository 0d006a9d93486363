"""Command groups that import a command when it is called, not when it is listed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from napari_s1omni.frontends.cli.command_table import Entry


def lazy_group(entries: Mapping[str, Entry]) -> type[TyperGroup]:
    """Return the class of a group with these commands.

    Parameters
    ----------
    entries : mapping of name to Entry
    """

    class LazyGroup(TyperGroup):
        """Lists commands from the table; imports a command when it is resolved."""

        def list_commands(self, ctx: Any) -> list[str]:
            return list(entries)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            entry = entries.get(cmd_name)
            return entry and TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            # Typer suggests the nearest name from this mapping.
            self.commands = {name: self.get_command(ctx, name) for name in entries}
            name, command, rest = super().resolve_command(ctx, args)
            return name, command and load(str(name), entries[str(name)]), rest

    return LazyGroup


def load(name: str, entry: Entry) -> Any:
    """Import a command.

    Parameters
    ----------
    name : str
        Name of the command.
    entry : Entry

    Returns
    -------
    Typer command or group
    """
    module, _, attribute = entry.target.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = get_command(found)
        command.name = name
        return command
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name, help=found.__doc__ or entry.help)(found)
    return get_command(app)


def group(entries: Mapping[str, Entry], **settings: Any) -> typer.Typer:
    """Return a Typer app with lazy commands.

    Parameters
    ----------
    entries : mapping of name to Entry
    **settings
        Passed to ``typer.Typer``.
    """
    app = typer.Typer(
        cls=lazy_group(entries),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        **settings,
    )

    @app.callback()
    def callback() -> None:
        pass

    return app
