"""``s1omni redo``: some tiles thought and drawn anew, kept or dropped after a look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.commands.run import HOLES, Executor, Json, Quiet, Scheduler, Workers
from napari_s1omni.frontends.cli.formatting import print_result
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.jobs import redo as redoing


def redo(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of a result.", show_default=False)],
    tiles: Annotated[
        str | None,
        typer.Option("--tiles", metavar="TILES", help="[[time/]plane/]row/column, several with commas."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Tiles that failed.")] = False,
    uncertain: Annotated[bool, typer.Option("--uncertain", help="Tiles that see an uncertain join of labels.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Keep what was redone, forget what it replaced.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Return to the result before.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed.")] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="Another wording for these tiles.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Another temperature.")] = None,
    steps: Annotated[int | None, typer.Option("--num-inference-steps", help="Another number of steps.")] = None,
    tokens: Annotated[int | None, typer.Option("--max-new-tokens", help="Another length of thoughts.")] = None,
    executor: Executor = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Think and draw some tiles anew. The result before is kept until --accept or --drop.

    Example: s1omni redo nuclei.zarr --tiles 3/5,3/6 --seed 1
    """
    asked = bool(tiles or failed or uncertain)
    if accept + drop + asked != 1:
        raise JobError("nothing, or too much, to do", "--tiles, --failed or --uncertain; or --accept; or --drop")
    if accept:
        redoing.accept(output)
        return
    if drop:
        redoing.drop(output)
        return
    named = {
        "seed": seed,
        "temperature": temperature,
        "num_inference_steps": steps,
        "max_new_tokens": tokens,
    }
    sampling: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    with ProgressLine(quiet=quiet, notes=False) as progress:
        result = redoing.redo(
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
        typer.echo(f"Keep it with: s1omni redo {output} --accept   Undo it with: s1omni redo {output} --drop")
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)
