"""``s1omni bench ask``: ask a chat model the questions of a published benchmark, and score its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.endpoint.configuration import endpoint as configured
from napari_s1omni.endpoint.consent import Consents
from napari_s1omni.endpoint.server import ServerModel
from napari_s1omni.errors import JobError
from napari_s1omni.evaluation.questions.asking import PlainAsker, ask_all, costs, kept_answers
from napari_s1omni.evaluation.questions.registry import QUESTION_SETS
from napari_s1omni.frontends.cli.arguments import file_to_write
from napari_s1omni.frontends.cli.bench.published.question_sets import Place, read_items, score_data, score_rows
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import HOLES, Json, Quiet


def ask(
    name: Annotated[str, typer.Argument(metavar="SET", help=f"{', '.join(QUESTION_SETS)}.", show_default=False)],
    place: Place,
    endpoint: Annotated[
        str, typer.Option("--endpoint", metavar="NAME|URL", help="Endpoint of the model.", show_default=False)
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers",
            metavar="FILE",
            help="File that keeps the answers; those in it are not asked again.",
            show_default="SET-ENDPOINT.jsonl",
            parser=file_to_write,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Questions to ask, the first ones.", show_default="all")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Tokens of a reply.", show_default="the endpoint's")
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Agree that the images of the benchmark go to the endpoint, this time.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Ask a model every question of a benchmark, without tools, and print both scores, tokens and seconds.

    Answers are kept one by one: the same command continues. Exit code 3 says that some questions got no answer.

    Example: s1omni bench ask hrbench hr_bench_4k.tsv --endpoint lab --limit 40
    """
    chosen = QUESTION_SETS.get(name)
    if chosen is None:
        raise JobError(
            f"there is no benchmark '{name}'.{did_you_mean(name, list(QUESTION_SETS))}",
            f"one of {', '.join(QUESTION_SETS)}",
        )
    server = configured(endpoint)
    items = read_items(chosen, place)[:limit]
    consents = Consents()
    source = str(place.resolve())
    if send:
        consents.give(server, source, keep=False)
    model = ServerModel(server, consents)
    kept = answers or Path(f"{name}-{server.name}.jsonl")
    asker = PlainAsker(model, source, max_tokens)
    for number, found in enumerate(ask_all(items, asker, kept), 1):
        if not quiet:
            said = found.error or " ".join(found.response.split())[-60:]
            typer.echo(f"{number}: question {found.id}, {found.seconds:.1f} s: {said}", err=True)
    wanted = {item.id for item in items}
    rows = {key: row for key, row in kept_answers(kept).items() if key in wanted}
    given = {key: str(row.get("response") or "") for key, row in rows.items()}
    published, strict, spent = chosen.published(items, given), chosen.strict(items, given), costs(rows)
    if json:
        report: dict[str, Any] = {
            "benchmark": name,
            "protocol": chosen.protocol,
            "endpoint": server.name,
            "model": model.model,
            "answers": str(kept),
            "without_tools": {"published": score_data(published), "strict": score_data(strict), **spent},
        }
        print_json(report)
    else:
        typer.echo(f"{chosen.protocol}\n\nModel {model.name}, without tools; answers in {kept}.\n")
        typer.echo("| part | published | strict |\n|---|---|---|")
        for part, one, other in score_rows(published, strict):
            typer.echo(f"| {part} | {one} | {other} |")
        tokens = f"{spent['prompt_tokens']:,.0f} + {spent['completion_tokens']:,.0f} tokens"
        typer.echo(
            f"\n{spent['questions']:.0f} questions, {tokens}, {spent['seconds']:.0f} s, {spent['failed']:.0f} failed."
        )
    if spent["failed"]:
        raise typer.Exit(HOLES)
