"""``s1omni endpoints``: the servers of chat models that a person has."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import typer

from napari_s1omni.endpoint import configuration
from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.consent import Consents
from napari_s1omni.errors import EndpointError
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.settings import secret

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Add, list, test and remove endpoints of chat models.",
    rich_markup_mode="rich",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the endpoint.", show_default=False)]


@app.command()
def add(
    name: Name,
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="Base URL of the API, such as http://localhost:9200/v1.", show_default=False
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Model to ask for.", show_default="the first that the server lists")
    ] = None,
    dialect: Annotated[
        Literal["hermes", "native"],
        typer.Option(
            "--dialect", help="Calls of tools in the text (hermes, every server), or parsed by the server (native)."
        ),
    ] = "hermes",
    key_env: Annotated[
        str | None,
        typer.Option(
            "--key-env",
            metavar="NAME",
            help="Environment variable that holds the key. The key itself is never stored.",
            show_default="no key",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Tokens of a reply at most.", show_default="16384")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, max=2, help="Temperature.", show_default="the server's own")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p", min=0.001, max=1, help="Probability mass to sample from.", show_default="the server's own"
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, help="Longest time for a reply.", show_default="600")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the endpoint of this name.")] = False,
) -> None:
    """Add an endpoint: a server that speaks OpenAI's chat completions, such as vLLM, llama.cpp, SGLang or OpenAI.

    Example: s1omni endpoints add lab http://localhost:9200/v1 --temperature 0.6 --top-p 0.95
    """
    fields: dict[str, Any] = {
        "name": name,
        "url": url,
        "model": model,
        "dialect": dialect,
        "key_env": key_env,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seconds": seconds,
    }
    added = Endpoint.read({key: value for key, value in fields.items() if value is not None}, "endpoint")
    configuration.add_endpoint(added, replace=replace)
    _warn(added)
    if added.key_env and not secret(added.key_env):
        typer.echo(f"s1omni: note: {added.key_env} is not set in this shell.", err=True)
    typer.echo(f"{name}: {added.url}. Try it with 's1omni endpoints test {name}'.")


@app.command("list")
def list_endpoints(json: Json = False) -> None:
    """List the endpoints. Keys are not shown, only the names of their variables."""
    known = configuration.endpoints()
    if json:
        print_json([entry.model_dump() for entry in known.values()])
        return
    if not known:
        typer.echo("No endpoint is configured. Add one with 's1omni endpoints add NAME URL'.")
    for name, entry in known.items():
        rows = {
            "URL": entry.url,
            "model": entry.model or "the first that the server lists",
            "dialect": entry.dialect,
            "key": f"in {entry.key_env}{'' if secret(entry.key_env) else ' (not set)'}" if entry.key_env else "",
            "pictures": "stay on this computer" if entry.is_local else f"leave this computer for {entry.host}",
            "warning": " ".join(entry.warnings),
        }
        print_rows(name, {key: text for key, text in rows.items() if text})
        typer.echo("")


@app.command("test")
def test_endpoint(name: Name, json: Json = False) -> None:
    """Ask the server what it has and what its model can do: a list and three small requests, no picture of yours."""
    from napari_s1omni.endpoint.server import ServerModel

    chosen = configuration.endpoint(name)
    _warn(chosen)
    model = ServerModel(chosen)
    before = time.monotonic()
    can = model.capabilities
    seconds = time.monotonic() - before
    try:
        listed = [str(row["id"]) for row in model.listed()]
    except EndpointError:
        listed = []
    facts = {
        "endpoint": chosen.name,
        "url": chosen.url,
        "model": model.model,
        "models": listed,
        "images": can.images,
        "images_of_tools": can.images_of_tools,
        "tools": can.tools,
        "stop": can.stop,
        "logprobs": can.logprobs,
        "context": can.context,
        "notes": list(can.notes),
        "seconds": round(seconds, 3),
    }
    if json:
        print_json(facts)
        return
    rows = {
        "model": model.model or "not named",
        "other models": ", ".join(entry for entry in listed if entry != model.model),
        "takes pictures": "yes" if can.images else "no",
        "parses calls of tools": "yes" if can.tools else "no",
        "context": f"{can.context:,} tokens" if can.context else "not stated",
        "answered in": f"{seconds:.1f} s",
        "notes": " ".join(can.notes),
    }
    print_rows(f"{chosen.name}: {chosen.url}", {key: text for key, text in rows.items() if text})


@app.command()
def remove(name: Name) -> None:
    """Remove an endpoint, and the consents to send pictures to it."""
    removed = configuration.endpoint(name)
    configuration.remove_endpoint(name)
    Consents().withdraw(removed)
    typer.echo(f"{name} is removed.")


def _warn(chosen: Endpoint) -> None:
    for warning in chosen.warnings:
        typer.echo(f"s1omni: warning: {warning}", err=True)
