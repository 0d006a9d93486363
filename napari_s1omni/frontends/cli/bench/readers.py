"""``s1omni bench readers``: whether files are read as their reference readers read them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks.reading.agreement import OUTCOMES, Finding, measure, table
from napari_s1omni.benchmarks.reading.references.registry import missing
from napari_s1omni.benchmarks.reading.window_speed.large_files import MEMORY, SECONDS, measure_large
from napari_s1omni.benchmarks.reading.window_speed.windows import BYTES, SPEED, WindowTimes, measure_windows
from napari_s1omni.core.units import format_bytes
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.settings import DATA, data_folder


def readers(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of images.", show_default="$S1OMNI_DATA, else generated files only"),
    ] = None,
    generated: Annotated[int, typer.Option(min=0, help="Number of files to write and read.")] = 200,
    seed: Annotated[int, typer.Option(help="Each seed writes other files.")] = 0,
    most: Annotated[
        int | None,
        typer.Option(min=1, help="Images of one format to take from one folder.", show_default="all"),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Where to leave the written files.", show_default="nowhere")
    ] = None,
    windows: Annotated[
        bool,
        typer.Option(
            "--windows",
            help="Time windows of 512 x 512 pixels against each format's library instead: of --data, and of files that "
            "are made.",
        ),
    ] = False,
    large: Annotated[
        bool, typer.Option("--large", help="Time s1omni info on files of 50 GB and of 10,000 images instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare pixels, axes, sizes, units and names with the reference reader of each format.

    These are tifffile, Pillow, nibabel, zarr, ome-zarr-py, ngio, bioio, pylibCZIrw, nd2 and liffile.

    A file is equal; or what differs stands in a note (noted); or it is refused with an error that says why. A
    difference without a note is silent, another exception a failure: then the command ends with exit code 1.
    """
    if large:
        _print_large(json=json)
        return
    folder = data_folder(data) if data or DATA.read() else None
    if folder is None:
        typer.echo(f"only generated files are measured: neither --data nor {DATA.name} names a folder", err=True)
    if absent := missing():
        typer.echo(f"skipped, not installed: {', '.join(absent)}", err=True)
    if windows:
        _print_windows(folder, seed, json=json)
        return
    findings = list(measure(folder, generated, seed, most, keep))
    faults = [finding for finding in findings if finding.is_fault]
    refused = [finding for finding in findings if finding.outcome == "refused"]
    if json:
        told = {"faults": faults, "refused": refused}
        lists = {name: [dataclasses.asdict(finding) for finding in found] for name, found in told.items()}
        print_json({"formats": table(findings), "skipped": absent, **lists})
    else:
        _print(findings, [*refused, *faults])
    if faults:
        raise typer.Exit(1)


def _print_windows(folder: Path | None, seed: int, *, json: bool) -> None:
    rows = list(measure_windows(folder, seed))
    if json:
        ratios = [
            {"speed": row.speed, "bytes": None if math.isnan(row.bytes_ratio) else row.bytes_ratio} for row in rows
        ]
        images = [{**dataclasses.asdict(row), **more} for row, more in zip(rows, ratios, strict=True)]
        print_json({"targets": {"speed": SPEED, "bytes": BYTES}, "windows": images})
        return
    typer.echo(f"| format | library | images | a window here | library alone | speed (at least {SPEED:g}) | ", nl=False)
    typer.echo(f"bytes (at most {BYTES:g}) |\n|---|---|---|---|---|---|---|")
    for format in dict.fromkeys(row.format for row in rows):
        typer.echo(_format_row(format, [row for row in rows if row.format == format]))


def _format_row(format: str, rows: list[WindowTimes]) -> str:
    """Sum the windows of all images of a format."""
    windows = sum(row.windows for row in rows)
    ours, alone = (sum(getattr(row, name) for row in rows) for name in ("ours", "alone"))
    counted = [row for row in rows if not math.isnan(row.bytes_ratio)]
    taken = [sum(getattr(row, name) for row in counted) for name in ("bytes_ours", "bytes_library")]
    size = f"{taken[0] / taken[1]:.2f}" if counted else "not counted"
    cells = [format, rows[0].library, str(len(rows)), *(f"{1000 * n / windows:.3f} ms" for n in (ours, alone))]
    return f"| {' | '.join([*cells, f'{alone / ours:.2f}', size])} |"


def _print_large(*, json: bool) -> None:
    rows = list(measure_large())
    if json:
        targets = {"seconds": SECONDS, "memory": MEMORY}
        print_json({"targets": targets, "files": [dataclasses.asdict(row) for row in rows]})
        return
    typer.echo(f"| file | images | size | seconds (below {SECONDS:g}) | memory (below {format_bytes(MEMORY)}) |")
    typer.echo("|---|---|---|---|---|")
    for row in rows:
        cells = [row.file, f"{row.images:,}", format_bytes(row.size), f"{row.seconds:.2f} s", format_bytes(row.memory)]
        typer.echo(f"| {' | '.join(cells)} |")


def _print(findings: list[Finding], shown: list[Finding]) -> None:
    typer.echo(f"| format | files | {' | '.join(OUTCOMES)} |")
    typer.echo(f"|{'---|' * (len(OUTCOMES) + 2)}")
    for format, row in table(findings).items():
        typer.echo(f"| {format} | {' | '.join(str(n) for n in row.values())} |")
    for finding in shown:
        typer.echo(f"{finding.outcome}: {finding.format}, {finding.path}: {'; '.join(finding.texts)}")
