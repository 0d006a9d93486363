"""Tables of objects: joined, and written as CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import JobError
from napari_s1omni.storage.files.part_file import part_file

Columns = dict[str, NDArray[Any]]
"""A table: one array per column, all of one length."""


def join_tables(parts: Iterable[Columns]) -> Columns:
    """Join tables with the same columns into one, sorted by label."""
    tables = list(parts)
    if not tables:
        return {"label": np.zeros(0, np.int64)}
    whole = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.argsort(whole["label"], kind="stable")
    return {name: values[order] for name, values in whole.items()}


def write_table(columns: Columns, path: Path | str, *, overwrite: bool = True) -> None:
    """Write one table; see :func:`write_tables`."""
    write_tables((columns,), path, overwrite=overwrite)


def write_tables(parts: Iterable[Columns], path: Path | str, *, overwrite: bool = True) -> int:
    """Write tables one after the other into one file.

    The file appears under its name when it is complete; if writing fails, an existing file stays as it was.

    Parameters
    ----------
    parts : iterable of Columns
        All with the same columns; only one is held at a time. Nothing is drawn from it before the path is checked.
    path : Path
        A ``.csv`` or ``.parquet`` file.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    JobError
        For another ending, a URL, or for Parquet without the extra ``tables``.
    StoreExists
        If the file exists and `overwrite` is off.
    StoreError, DiskFull
        If it cannot be written there.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet}
    path = local_path(path, "table")
    ending = path.suffix.lower()
    if ending not in writers:
        said = f"'*{ending}'" if ending else f"'{path.name}', without an ending"
        raise JobError(f"a table called {said}", "'.csv' or '.parquet'", "choose one of these endings")
    with part_file(path, overwrite=overwrite) as part:
        return writers[ending](parts, part)


def _write_csv(parts: Iterable[Columns], path: Path) -> int:
    rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, columns in enumerate(parts):
            if not number:
                writer.writerow(columns)
            writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
            rows += len(columns["label"])
    return rows


def _write_parquet(parts: Iterable[Columns], path: Path) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise JobError(
            "Parquet needs the extra 'tables'", remedy="install it with: pip install 'napari_s1omni[tables]'"
        ) from None
    rows, writer = 0, None
    try:
        for columns in parts:
            # The type of a column without rows cannot be seen in its values.
            typed = {
                name: pyarrow.array(values.tolist(), pyarrow.string()) if values.dtype == object else values
                for name, values in columns.items()
            }
            piece = pyarrow.table(typed)
            writer = writer or parquet.ParquetWriter(path, piece.schema)
            writer.write_table(piece)
            rows += piece.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows
