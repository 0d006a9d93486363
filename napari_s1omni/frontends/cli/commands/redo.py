"""``s1omni redo``: redo some tiles, then accept or undo the change."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.arguments import LocalResult
from napari_s1omni.frontends.cli.formatting import print_result
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.frontends.cli.run_options import HOLES, Executor, Json, Quiet, Scheduler, Workers
from napari_s1omni.jobs import redo as redo_job
from napari_s1omni.results.result import Result


def redo(
    output: LocalResult,
    tiles: Annotated[
        str | None,
        typer.Option(
            "--tiles", metavar="TILES", help="[[time/]plane/]row/column, separated by commas; row,column is one."
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed tiles.")] = False,
    uncertain: Annotated[bool, typer.Option("--uncertain", help="All tiles at an uncertain join of labels.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Keep the new result and delete the previous one.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Return to the previous result.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="New seed.")] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="New prompt for these tiles.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="New temperature.")] = None,
    steps: Annotated[int | None, typer.Option("--num-inference-steps", help="New number of denoising steps.")] = None,
    tokens: Annotated[int | None, typer.Option("--max-new-tokens", help="New maximum length of a thought.")] = None,
    executor: Executor = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Redo some tiles. The previous result is kept until --accept or --drop.

    Example: s1omni redo nuclei.zarr --tiles 3/5,3/6 --seed 1
    """
    select_tiles = bool(tiles or failed or uncertain)
    if accept + drop + select_tiles != 1:
        raise JobError(
            "redo needs exactly one of its options",
            "they are --tiles, --failed, --uncertain, --accept and --drop",
            "give one of them",
        )
    if accept or drop:
        (redo_job.accept if accept else redo_job.drop)(output)
        result = Result.open(output)
        if not json:
            typer.echo("Accepted; the earlier version is deleted:" if accept else "Back at the earlier version:")
        print_result(result, as_json=json)
        return
    given = {
        "seed": seed,
        "temperature": temperature,
        "num_inference_steps": steps,
        "max_new_tokens": tokens,
    }
    sampling: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with ProgressLine(quiet=quiet, notes=False) as progress:
        result = redo_job.redo(
            output,
            tiles,
            failed=failed,
            uncertain=uncertain,
            sampling=sampling,
            prompt=prompt,
            executor=executor,
            workers=workers,
            scheduler=scheduler,
            on_event=progress,
        )
    print_result(result, as_json=json)
    if not json:
        typer.echo(f"Accept it with: s1omni redo {output} --accept   Undo it with: s1omni redo {output} --drop")
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)
