"""``s1omni bench mathv``, ``hrbench`` and others: score answers to the questions of a published benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.files import read_answers
from napari_s1omni.evaluation.questions.item import Item, QuestionSet, Score
from napari_s1omni.evaluation.questions.registry import QUESTION_SETS
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json


def file_or_folder(text: str | Path) -> Path:
    """Return the path of a file or folder that is read."""
    return local_path(text, "file", "download it and give its local path")


Place = Annotated[
    Path,
    typer.Argument(metavar="PLACE", help="File or folder in its published layout.", parser=file_or_folder),
]
AnswerFile = Annotated[
    Path,
    typer.Option(
        "--answers",
        metavar="FILE",
        help="Answers: JSON Lines with id (or index) and response (or prediction).",
        show_default=False,
        parser=file_or_folder,
    ),
]


def score_answers(name: str, place: Path, answers: Path, json: bool) -> None:
    """Print the published and the strict score of answers to a benchmark."""
    chosen = QUESTION_SETS[name]
    items = read_items(chosen, place)
    given = read_answers(answers, items)
    print_scores(chosen, chosen.published(items, given), chosen.strict(items, given), json)


def read_items(chosen: QuestionSet, place: Path) -> list[Item]:
    """Return the questions of a benchmark.

    Raises
    ------
    SourceError
        If there is nothing, or something else.
    """
    if not place.exists():
        raise SourceError(f"there is no {place}", chosen.protocol, "name the file or folder of the benchmark")
    items = list(chosen.items(place))
    if not items:
        raise SourceError(f"{place} holds no question of {chosen.title}", chosen.protocol)
    return items


def score_data(score: Score) -> dict[str, Any]:
    """Return a score as JSON; its shares are not rounded."""
    data: dict[str, Any] = {
        "accuracy": score.accuracy,
        "correct": score.correct,
        "counted": score.counted,
        "groups": dict(score.groups),
    }
    return {**data, "note": score.note} if score.note else data


def print_scores(chosen: QuestionSet, published: Score, strict: Score, json: bool) -> None:
    """Print both scores of a benchmark, with its protocol."""
    if json:
        print_json(
            {
                "benchmark": chosen.name,
                "protocol": chosen.protocol,
                "published": score_data(published),
                "strict": score_data(strict),
            }
        )
        return
    typer.echo(chosen.protocol + "\n")
    typer.echo("| part | published | strict |\n|---|---|---|")
    for part, one, other in score_rows(published, strict):
        typer.echo(f"| {part} | {one} | {other} |")
    for name, score in (("published", published), ("strict", strict)):
        if score.note:
            typer.echo(f"\n{name}: {score.note}")


def score_rows(published: Score, strict: Score) -> Sequence[tuple[str, str, str]]:
    """Return rows of two scores: all, then each part."""
    parts = list(dict.fromkeys([*published.groups, *strict.groups]))
    return [
        ("all", _all(published), _all(strict)),
        *((part, _share(published.groups.get(part)), _share(strict.groups.get(part))) for part in parts),
    ]


def _all(score: Score) -> str:
    return f"{_share(score.accuracy)} ({score.correct}/{score.counted})" if score.accuracy is not None else "-"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _command(name: str) -> Callable[..., None]:
    """Return the command of one benchmark."""

    def command(place: Place, answers: AnswerFile, json: Json = False) -> None:
        score_answers(name, place, answers, json)

    command.__doc__ = (
        f"Score answers to {QUESTION_SETS[name].title}: as the published program does, and strictly.\n\n"
        f"{QUESTION_SETS[name].protocol}"
    )
    return command


vstar = _command("vstar")
hrbench = _command("hrbench")
mme_realworld = _command("mme-realworld")
mmmu = _command("mmmu")
mathv = _command("mathv")
sfe = _command("sfe")
physics = _command("physics")
vrsbench = _command("vrsbench")
gmai_mmbench = _command("gmai-mmbench")
galaxy10 = _command("galaxy10")
