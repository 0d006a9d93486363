"""The exit codes, environment variables, commands and options in ``docs/cli.md``, made from the code itself.

``python -m napari_s1omni.frontends.cli.reference_page docs/cli.md`` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from napari_s1omni.frontends.cli.command_table import COMMANDS, Entry
from napari_s1omni.frontends.cli.lazy_group import load
from napari_s1omni.frontends.cli.main import EXIT_CODES
from napari_s1omni.settings import VARIABLES

START, END = "<!-- made from the commands: start -->", "<!-- made from the commands: end -->"


def listing() -> str:
    """Exit codes, environment variables, commands and options as Markdown."""
    lines = ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {words} |" for code, words in EXIT_CODES.items()]
    lines += ["", "## Environment variables", "", "| variable | meaning | default |", "|---|---|---|"]
    lines += [f"| `{v.name}` | {v.meaning} | {v.default} |" for v in VARIABLES]
    lines += ["", "## Commands", "", *_group("s1omni", COMMANDS)]
    return "\n".join(lines).rstrip() + "\n"


def updated(text: str) -> str:
    """Return a page with its list of commands made anew.

    Parameters
    ----------
    text : str
        Markdown with the two marks.
    """
    before, rest = text.split(START)
    return f"{before}{START}\n\n{listing()}\n{END}{rest.split(END)[1]}"


def _group(path: str, entries: Mapping[str, Entry]) -> Iterator[str]:
    for name, entry in entries.items():
        yield from _command(f"{path} {name}", load(name, entry))


def _command(path: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            _, inner, _ = command.resolve_command(context, [name])
            yield from _command(f"{path} {name}", inner)
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    shown = " ".join(_optional(p.metavar or p.name.upper(), required=p.required) for p in arguments)
    yield from (f"### `{' '.join(filter(None, (path, shown)))}`", "")
    yield from (_prose(command.help), "")
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    if options:
        yield from ("| option | meaning |", "|---|---|")
        yield from (_option(p) for p in options)
        yield ""


def _optional(words: str, *, required: bool) -> str:
    return words if required else f"[{words}]"


def _prose(text: str) -> str:
    return " ".join((text or "").split()).replace(" Example: ", "\n\nExample: ")


def _option(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = option.show_default if isinstance(option.show_default, str) else None
    return f"| {names} | {_cell(option.help)}{f' Default: {default}.' if default else ''} |"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", r"\|").replace("<", "&lt;")


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
