"""``s1omni ask`` and ``s1omni replay``: a question about an image, and the same looks and measurements again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_s1omni.asking.answer import Answer
from napari_s1omni.asking.conversation import Listener
from napari_s1omni.asking.measured_question import NAME as REFERENCE
from napari_s1omni.asking.observation import Observation
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.route import Route
from napari_s1omni.asking.session import Asking, replay_folder
from napari_s1omni.asking.view import Picture
from napari_s1omni.core.units import unit_symbol
from napari_s1omni.endpoint.configuration import endpoint as known_endpoint
from napari_s1omni.endpoint.consent import Consents
from napari_s1omni.endpoint.protocol import ChatModel, Delta
from napari_s1omni.frontends.cli.arguments import ChosenImage, folder_to_read
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json, Quiet


def ask(
    source: Annotated[str, typer.Argument(metavar="IMAGE", help="Path or URL of an image.", show_default=False)],
    text: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.", show_default=False)],
    image: ChosenImage = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Part that may be looked at: '0:512,128:640' (rows, columns), or a file of outlines or a mask.",
            show_default="the whole image",
        ),
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Name or URL of an endpoint; reference measures and needs no model.")
    ] = REFERENCE,
    mode: Annotated[
        Literal["auto", "reason", "look"],
        typer.Option(help="Answer from the first picture (reason), look closer by code (look), or decide."),
    ] = "auto",
    z: Annotated[int | None, typer.Option(min=0, help="Plane to begin with.", show_default="the middle one")] = None,
    t: Annotated[int | None, typer.Option(min=0, help="Time point to begin with.", show_default="the first")] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels to begin with, such as 0,2.", show_default="all")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=64, help="Times that a model may run code.")] = 8,
    transcript: Annotated[
        Path | None,
        typer.Option(help="New folder for all that was seen, run and said.", show_default="one in the cache folder"),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Agree that pictures of this image leave this computer for the endpoint.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Answer a question about an image of any size.

    With reference, the default, objects are counted and measured at full resolution by code that is shown: how many,
    how large, how dense, where the largest is. A model behind an endpoint answers any question; it looks closer by
    code that runs confined. 's1omni replay' runs the same code again.

    Example: s1omni ask cells.tif "How many nuclei are there?"
    """
    fields: dict[str, Any] = {
        "source": {"uri": source, "image": image},
        "text": text,
        "region": region,
        "endpoint": endpoint,
        "mode": mode,
        "z": z,
        "t": t,
        "channels": None if channels is None else [part.strip() for part in channels.split(",")],
        "limits": {"rounds": rounds},
    }
    question = Question.read({key: value for key, value in fields.items() if value is not None}, "question")
    model = None if endpoint == REFERENCE else _model(endpoint, question.source.uri, send)
    listener = Listener() if quiet or json else _Printer().listener
    with Asking(question, transcript, model=model, listener=listener) as asking:
        answer = asking.ask()
    if json:
        print_json(answer.to_json())
    else:
        _print(answer)


def replay(
    folder: Annotated[
        Path,
        typer.Argument(metavar="TRANSCRIPT", help="Folder of a question.", show_default=False, parser=folder_to_read),
    ],
    source: Annotated[
        str | None, typer.Option(help="The same image, if it has moved.", show_default="where it was")
    ] = None,
    json: Json = False,
) -> None:
    """Run the code of an answered question again on the same image, and compare every value and picture.

    Ends with exit code 1 if anything differs.
    """
    found = replay_folder(folder, source)
    if json:
        print_json(found.to_json())
    else:
        typer.echo(
            f"Compared: {found.cells} cells of code, {found.notes} values, {found.pictures} pictures; not the words."
        )
        for difference in found.differences:
            typer.echo(difference)
        if not found.differences:
            typer.echo("All are equal.")
    if found.differences:
        raise typer.Exit(1)


def _model(name: str, source: str, send: bool) -> ChatModel:
    """Return the model of an endpoint, after asking whether pictures may leave this computer."""
    from napari_s1omni.endpoint.server import ServerModel

    chosen = known_endpoint(name)
    consents = Consents()
    for warning in chosen.warnings:
        typer.echo(f"s1omni: warning: {warning}", err=True)
    if send:
        consents.give(chosen, source)
    elif not consents.has(chosen, source) and sys.stdin is not None and sys.stdin.isatty():
        if typer.confirm(f"Pictures of {source} will leave this computer for {chosen.host}. Send them?", err=True):
            consents.give(chosen, source)
    return ServerModel(chosen, consents)


class _Printer:
    """Prints what happens to the error stream, so that the output holds the answer alone."""

    def __init__(self) -> None:
        self.listener = Listener(self._route, self._picture, self._words, self._code, self._observation)

    def _route(self, route: Route) -> None:
        self._line(f"{route.mode}: {'; '.join(route.reasons)}")

    def _picture(self, picture: Picture) -> None:
        self._line(picture.record.caption())

    def _words(self, piece: Delta) -> None:
        typer.echo(piece.reasoning or piece.text, err=True, nl=False)

    def _code(self, code: str) -> None:
        self._line("\n" + "\n".join(f"    {line}" for line in code.splitlines()))

    def _observation(self, seen: Observation) -> None:
        self._line(seen.words())

    def _line(self, text: str) -> None:
        typer.echo(text, err=True)


def _unit(unit: str) -> str:
    over = "1/" if unit.startswith("1/") else ""
    return over + unit_symbol(unit.removeprefix("1/"))


def _print(answer: Answer) -> None:
    typer.echo(answer.text)
    if answer.notes:
        typer.echo("")
        print_rows("measured", {note.name: f"{note.value:.6g} {_unit(note.unit)}".rstrip() for note in answer.notes})
    for reason in answer.reasons:
        typer.echo(f"note: {reason}")
    measured = f"{answer.written_by}, measured" if answer.notes else f"{answer.written_by}, not measured"
    typer.echo(f"written by {measured}; transcript: {answer.transcript}")
