"""Put the tables of several images under one another, with a first column that names the image.

Usage: python merge_tables.py MERGED.csv TABLE.csv... ; columns that only some tables have stay empty in the others.
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
