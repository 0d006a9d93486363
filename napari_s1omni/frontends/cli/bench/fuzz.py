"""``s1omni bench fuzz``: what reading damaged files does."""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks.fuzzing.fuzz import OUTCOMES, Trial
from napari_s1omni.benchmarks.fuzzing.fuzz import fuzz as read_damaged
from napari_s1omni.benchmarks.fuzzing.originals import originals
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.settings import DATA, data_folder


def fuzz(
    minutes: Annotated[float, typer.Option(min=0.01, help="Time for reading.")] = 10,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of images to damage.", show_default="$S1OMNI_DATA, else generated files only"
        ),
    ] = None,
    generated: Annotated[int, typer.Option(min=0, help="Number of generated files to damage.")] = 80,
    seed: Annotated[int, typer.Option(help="Each seed damages in other ways.")] = 0,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Where to leave what failed.", show_default="nowhere")
    ] = None,
    json: Json = False,
) -> None:
    """Damage copies of images and read them in a process with 2 GiB of memory and 30 s for each.

    Right are an error of this package, an image as the reference reader sees it, and a difference that stands in a
    note. A silent difference, another exception, too much memory or time, and a crash end the command with exit
    code 1.
    """
    folder = data_folder(data) if data or DATA.read() else None
    if folder is None:
        typer.echo(f"only generated files are damaged: neither --data nor {DATA.name} names a folder", err=True)
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as temporary:
        found = originals(Path(temporary), folder, generated, seed)
        trials = list(read_damaged(found, seed=seed, minutes=minutes, keep=keep))
    counts = Counter(trial.outcome for trial in trials)
    faults = [trial for trial in trials if trial.is_fault]
    if json:
        outcomes = {name: counts[name] for name in OUTCOMES}
        print_json(
            {"originals": len(found), "outcomes": outcomes, "faults": [dataclasses.asdict(trial) for trial in faults]}
        )
    else:
        rows = {words: f"{counts[name]:,}" for name, words in OUTCOMES.items()}
        print_rows(f"{len(trials):,} damaged copies of {len(found)} images", rows)
        for trial in faults:
            typer.echo(_line(trial))
    if faults:
        raise typer.Exit(1)


def _line(trial: Trial) -> str:
    return f"{trial.outcome}: {trial.original}, {'; '.join(trial.changes)}: {trial.text[:300]}"
