"""Which files of the data train nano, which choose among trainings, and which judge the result.

The split is by field: images of one field of view are never on both sides. Whole sources (a microscope or a laboratory)
are `unseen`: no training reads them, so they measure what users with images of their own will meet.
"""

from __future__ import annotations

import csv
import json
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.errors import SourceError

Subset = Literal["train", "validation", "unseen", "former_validation"]
"""`former_validation` are the validation files of the first weights; none of their fields is trained on now."""
Split = dict[str, dict[str, list[str]]]
"""File stems by folder and subset."""
FIELDS = "FIELDS.tsv"
"""Table of the annotated images: file, field, family, objects, fold."""


def read_split(data: Path) -> Split:
    """Return file stems by folder and subset.

    Parameters
    ----------
    data : Path
        Folder of the data, with :data:`FIELDS`.

    Raises
    ------
    SourceError
        If the table is missing.
    """
    rules = _rules()
    split: Split = {folder: dict(stems) for folder, stems in rules["others"].items()}
    for row in _read_fields(data):
        folder, stem = _folder_and_stem(row["file"])
        subset = _subset(folder, stem, row, rules)
        if subset is not None:
            split.setdefault(folder, {}).setdefault(subset, []).append(stem)
    for folder, stems in rules["former_validation"].items():
        split.setdefault(folder, {})["former_validation"] = list(stems)
    return {folder: {"train": [], "validation": [], "unseen": []} | stems for folder, stems in split.items()}


def views(data: Path) -> dict[tuple[str, str], str]:
    """Return the field of view of each annotated image, by folder and stem."""
    return {_folder_and_stem(row["file"]): row["field"] for row in _read_fields(data)}


def _subset(folder: str, stem: str, row: dict[str, str], rules: dict[str, Any]) -> str | None:
    """Return the subset of an annotated image; None if it belongs to none."""
    if row["field"] in rules["excluded_fields"]:
        return None
    if any(fnmatchcase(stem, pattern) for pattern in rules["unseen"].get(folder, ())):
        return "unseen"
    return "validation" if row["field"] in rules["validation_fields"] else "train"


def _rules() -> dict[str, Any]:
    text = files("napari_s1omni.training.data").joinpath("split.json").read_text("utf-8")
    rules: dict[str, Any] = json.loads(text)
    return rules


def _read_fields(data: Path) -> list[dict[str, str]]:
    path = data / FIELDS
    if not path.is_file():
        raise SourceError(f"{path} is missing", "the table of annotated images", "download the data again")
    with path.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def _folder_and_stem(file: str) -> tuple[str, str]:
    path = Path(file)
    return path.parent.parent.as_posix(), path.stem
