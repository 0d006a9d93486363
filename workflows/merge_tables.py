"""Concatenate the tables of several images, with a first column that names the image.

Usage: python merge_tables.py MERGED.csv TABLE.csv...
Columns that a table lacks stay empty in its rows.
"""

import csv
import sys
from pathlib import Path


def merge(merged: Path, tables: list[Path]) -> None:
    """Write `merged` from `tables`, each named after its image."""
    columns: dict[str, None] = {"image": None}
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            columns.update(dict.fromkeys(next(csv.reader(file), [])))
    with merged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), restval="")
        writer.writeheader()
        for path in tables:
            with path.open(encoding="utf-8", newline="") as rows:
                writer.writerows({"image": path.stem, **row} for row in csv.DictReader(rows))


if __name__ == "__main__":
    merge(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
