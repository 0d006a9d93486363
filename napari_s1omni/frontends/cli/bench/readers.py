"""``s1omni bench readers``: whether files are read as their reference readers read them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.benchmarks.reading.agreement import OUTCOMES, Finding, measure, table
from napari_s1omni.benchmarks.reading.references.registry import missing
from napari_s1omni.benchmarks.reading.windows import measure_windows
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
        bool, typer.Option("--windows", help="Time windows of 512 x 512 pixels against each format's library instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare pixels, axes, sizes, units and names with the reference reader of each format.

    These are tifffile, Pillow, nibabel, zarr, ome-zarr-py, ngio, bioio, pylibCZIrw, nd2 and liffile.

    A file is equal; or what differs stands in a note (noted); or it is refused with an error that says why. A
    difference without a note is silent, another exception a failure: then the command ends with exit code 1.
    """
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
    rows = list(measure_windows(folder, seed)) if folder else []
    if json:
        ratios = [{"speed": row.speed, "bytes": row.bytes_ratio} for row in rows]
        print_json({"windows": [{**dataclasses.asdict(r), **more} for r, more in zip(rows, ratios, strict=True)]})
        return
    typer.echo("| image | windows | here | library | speed | bytes |\n|---|---|---|---|---|---|")
    for row in rows:
        each = [f"{1000 * seconds / row.windows:.3f} ms" for seconds in (row.ours, row.library)]
        typer.echo(f"| {row.path} | {row.windows} | {' | '.join(each)} | {row.speed:.2f} | {row.bytes_ratio:.2f} |")


def _print(findings: list[Finding], shown: list[Finding]) -> None:
    typer.echo(f"| format | files | {' | '.join(OUTCOMES)} |")
    typer.echo(f"|{'---|' * (len(OUTCOMES) + 2)}")
    for format, row in table(findings).items():
        typer.echo(f"| {format} | {' | '.join(str(n) for n in row.values())} |")
    for finding in shown:
        typer.echo(f"{finding.outcome}: {finding.format}, {finding.path}: {'; '.join(finding.texts)}")
