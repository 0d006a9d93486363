"""Tables of the objects of a batch: one per image, and one of all images."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from napari_s1omni.errors import JobError, S1OmniError, StoreExists
from napari_s1omni.planning.zarr_folder import read_ome
from napari_s1omni.results.batch.batch_rows import BatchRow, read_batch
from napari_s1omni.results.batch.common_unit import in_micrometres, units_of
from napari_s1omni.results.object_tables import object_tables
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import write_tables
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.image_group.tables_group import TABLE_FILE, TABLES, register_table, table_folder

OBJECTS = "objects.csv"
"""Table of the objects of all images, in the folder of a batch."""
IMAGE = "image"
"""Its first column: the name of the image."""
_CHANGES = ("journal/*", "stitched.log", "redone.json", "corrections/*/*")
"""Files of a result that are written whenever its pixels change."""


def all_objects_file(folder: Path) -> Path:
    """Return the file of the table of all objects; in a plate it has the name that other programs expect."""
    return folder / (TABLE_FILE if _plate_of(folder) else OBJECTS)


def measure_image(name: str, result: Result, folder: Path) -> Path:
    """Measure the objects of one image into its table, unless that is newer than the result.

    The table is ``folder/tables/NAME.csv``, or for labels in an OME-Zarr image ``tables/LABELS/table.csv`` in it.

    Returns
    -------
    Path
        The table.
    """
    into = result.plan.job.into
    if into is None:
        place = folder / "tables"
        with disk_errors("writing", place):
            place.mkdir(exist_ok=True)
        path = place / f"{name}.csv"
    else:
        path = table_folder(result.path.parent.parent, into) / TABLE_FILE
    if not is_newer(path, result):
        check_own_table(path, "label")
        write_tables(object_tables(result), path)
        if into is not None:
            register_table(result.path.parent.parent, into, labels=into)
    return path


def check_own_table(path: Path, first: str) -> None:
    """Refuse to replace a file that is no table of objects.

    Parameters
    ----------
    path : Path
    first : str
        Its first column.

    Raises
    ------
    StoreExists
        If a file is there whose first column is another one.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    if header[:1] != [first]:
        raise StoreExists(f"{path} exists and is no table of objects", remedy="move it away")


def measure_batch(
    folder: Path, target: Path, *, overwrite: bool = True, on_error: Callable[[BatchRow, S1OmniError], None]
) -> tuple[int, int]:
    """Measure every complete mask of a batch into one table.

    Parameters
    ----------
    folder : Path
        The folder of the batch.
    target : Path
        A ``.csv`` file: the column ``image``, the further columns of the batch such as ``well`` and ``field``, and the
        columns of :meth:`~napari_s1omni.results.result.Result.table`.
    overwrite : bool
        Replace an existing file.
    on_error : callable
        Called with each image that cannot be measured; the others are.

    Returns
    -------
    (int, int)
        Number of objects and of images.
    """
    if target.suffix.lower() != ".csv":
        raise JobError(f"{target.name} for the objects of a batch", "a name that ends in .csv", "choose such a name")
    parts = []
    for row in read_batch(folder):
        if row.state == "failed":
            continue
        try:
            result = Result.open(row.output)
            if result.spec.kind == "labels":
                parts.append((row, measure_image(row.name, result, folder)))
        except S1OmniError as error:
            on_error(row, error)
    count = merge_tables(target, [({IMAGE: row.name, **row.more}, path) for row, path in parts], overwrite=overwrite)
    if (plate := _plate_of(folder)) and target == all_objects_file(folder):
        register_table(plate, folder.name)
    return count, len(parts)


def merge_tables(target: Path, parts: Sequence[tuple[Mapping[str, str], Path]], *, overwrite: bool = True) -> int:
    """Merge tables into one, row by row; a column that a table does not have stays empty in its rows.

    Parameters
    ----------
    target : Path
    parts : sequence of (mapping, Path)
        What is written in front of each row of a table, by column, and the table. A column that the table has too is
        called ``image_...``. Where their units of length differ, all are in micrometres.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    int
        Number of rows.
    """
    measured: dict[str, None] = {}
    for _, path in parts:
        with path.open(encoding="utf-8", newline="") as file:
            measured.update(dict.fromkeys(next(csv.reader(file), [])))
    facts = _fact_columns((fact for fact, _ in parts), measured)
    mixed = len(units_of(path for _, path in parts)) > 1
    rows = 0
    with part_file(target, overwrite=overwrite) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*dict.fromkeys([*facts.values(), *measured])], restval="")
        writer.writeheader()
        for fact, path in parts:
            said = {facts[name]: text for name, text in fact.items()}
            with path.open(encoding="utf-8", newline="") as table:
                for row in csv.DictReader(table):
                    writer.writerow({**said, **(in_micrometres(row) if mixed else row)})
                    rows += 1
    return rows


def is_newer(path: Path, result: Result) -> bool:
    """Whether a file was written after the last change of the pixels of a result."""
    if not path.is_file():
        return False
    changes = [found for pattern in _CHANGES for found in result.work.glob(pattern)]
    # A version that comes back keeps the times of its contents, but gets a new one as a file.
    return path.stat().st_mtime_ns > max((file.stat().st_ctime_ns for file in changes), default=0)


def _fact_columns(facts: Iterable[Mapping[str, str]], measured: Mapping[str, None]) -> dict[str, str]:
    names = dict.fromkeys([IMAGE, *(name for fact in facts for name in fact)])
    return {name: f"image_{name}" if name in measured else name for name in names}


def _plate_of(folder: Path) -> Path | None:
    """Return the plate whose tables lie in a folder ``PLATE/tables/NAME``."""
    plate = folder.parent.parent
    return plate if folder.parent.name == TABLES and "plate" in read_ome(plate) else None
