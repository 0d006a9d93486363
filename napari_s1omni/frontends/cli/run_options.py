"""Options of every command that runs a job, and those that several commands share."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self, get_type_hints

import typer

HOLES = 3
"""Exit code of a command whose result is incomplete: tiles or images failed."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verify = Annotated[bool, typer.Option("--verify", help="Check finished blocks and redo damaged ones.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Durable = Annotated[
    bool,
    typer.Option(
        "--durable/--no-durable",
        help="fsync every write; with --no-durable a power loss may lose finished blocks.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the result of another job; it is kept until 's1omni redo OUTPUT --accept' or '--drop'.",
    ),
]
Executor = Annotated[
    Literal["serial", "dask"] | None,
    typer.Option(
        "--executor",
        help="Run in this process, or in worker processes.",
        show_default="serial, or dask with --workers or --scheduler",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of worker processes.", show_default="one per GPU, or one")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", help="Address of a Dask scheduler, or 'slurm'.", show_default="worker processes on this machine"
    ),
]
Measure = Annotated[
    bool, typer.Option("--measure", help="Measure the objects into a table; all images of a batch into one.")
]
Export = Annotated[
    Literal["geojson", "zip", "tif", "mha", "nifti", "dicom-seg"] | None,
    typer.Option(
        "--export",
        help="Also write each result as outlines (geojson, zip for ImageJ) or pixels (tif; for medical programs mha, "
        "nifti or dicom-seg).",
        show_default=False,
    ),
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Fail if another batch runs in the same folder, instead of waiting for it.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of a command that runs a job."""

    dry_run: DryRun = False
    measure: Measure = False
    export: Export = None
    no_wait: NoWait = False
    json: Json = False
    verify: Verify = False
    quiet: Quiet = False
    durable: Durable = True
    overwrite: Overwrite = False
    executor: Executor = None
    workers: Workers = None
    scheduler: Scheduler = None

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Return the options as parameters from which typer makes command-line options."""
        hints = get_type_hints(cls, include_extras=True)
        return [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
            for f in fields(cls)
        ]

    @classmethod
    def take(cls, options: dict[str, Any]) -> Self:
        """Remove the run options from what typer parsed, and return them."""
        return cls(**{f.name: options.pop(f.name) for f in fields(cls)})

    @property
    def execution(self) -> dict[str, Any]:
        """Keyword arguments of :func:`napari_s1omni.jobs.run.run`."""
        return {
            name: getattr(self, name) for name in ("verify", "durable", "overwrite", "executor", "workers", "scheduler")
        }
