"""The page of nano's errors: ``python -m napari_s1omni.evaluation.nano.errors --data FOLDER --write PAGE``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.api import segment
from napari_s1omni.evaluation.error_kinds import KINDS, Judged, Kind, judge
from napari_s1omni.evaluation.nano.by_source import sources
from napari_s1omni.results.result import Result
from napari_s1omni.training.data.real_fields import normalize_field, read_raw_pair
from napari_s1omni.training.data.split import Subset
from napari_s1omni.training.prompts.traces import measure_objects, parse_trace

MISREAD = 1.25
"""Factor between the stated and the true size of the objects of a tile from which on the size counts as misread."""
_FEWEST = 3
"""Objects in a tile from which on its size is compared."""
_EDGE, _COLUMNS = 96, 6
"""Edge of a picture in pixels, and pictures in a row."""
_SHADES = 96
"""Colours of the sheet of pictures, few enough for a small file."""
_HEAD = """# Errors of nano on images that it never saw

Written by `python -m napari_s1omni.evaluation.nano.errors --data FOLDER --write docs/nano-errors.md`. Each annotated
object of the sources that no training reads is judged once, and each drawn object where nothing is annotated. Numbers
are objects.

"""
_MEANING = """
- *merged*: lies in a drawn object that holds several. *split*: drawn in several parts. *outline*: drawn, but too large,
  too small or beside.
- *pale missed*: not drawn, with less than half of the contrast that is usual in its image. *missed*: not drawn, though
  as clear as others.
- *nothing there*: drawn where nothing is annotated: debris, tissue, or nuclei out of focus that annotators left out.
- *size misread*: tiles, of those with three objects or more, whose thought states a size that is wrong by more than a
  quarter, so that they are drawn on an unsuitable grid. *polarity misread*: bright objects called dark, or the reverse.
- *found there* and *elsewhere*: found objects as a share of all annotated and drawn ones, in tiles whose thought is
  misread in one of these ways, and in the others.
"""


@dataclass
class SourceErrors:
    """The errors in the images of one source."""

    name: str
    images: int = 0
    objects: Counter[Kind] = field(default_factory=Counter)
    """By what was wrong."""
    tiles: int = 0
    """Tiles whose thought was compared."""
    wrong_size: int = 0
    """Those whose size was misread."""
    wrong_polarity: int = 0
    misread: Counter[Kind] = field(default_factory=Counter)
    """Objects in tiles with either of them."""
    pictures: dict[Kind, NDArray[np.uint8]] = field(default_factory=dict)

    def add(self, pixels: NDArray[Any], truth: NDArray[Any], result: Result, bright: bool) -> None:
        """Add an image and what was drawn in it."""
        image = normalize_field(pixels)
        drawn = np.asarray(result.array[...]).squeeze()
        judged = judge(truth, drawn, image.mean(axis=0))
        misread = np.zeros(truth.shape, bool)
        for cell, wrong in self._tiles(result, truth, bright):
            misread[cell] |= wrong
        self.images += 1
        for one in judged:
            self.objects[one.kind] += 1
            self.misread[one.kind] += bool(misread[int(one.y), int(one.x)])
            if one.kind != "found" and one.kind not in self.pictures:
                self.pictures[one.kind] = _picture(image, truth, drawn, one)

    def _tiles(self, result: Result, truth: NDArray[Any], bright: bool) -> Iterator[tuple[tuple[slice, slice], bool]]:
        """Yield the cell of each tile, and whether its thought misreads size or polarity."""
        grid = result.plan.grid
        for key, thought in result.thoughts.items():
            row, column = (int(part) for part in key.split("/")[-2:])
            tile, step = grid.tile(row, column), grid.step
            _, size, count = measure_objects(truth[slice(*tile.y), slice(*tile.x)])
            said = parse_trace(thought.text)
            if count < _FEWEST or said.size is None:
                continue
            wrong_size = not 1 / MISREAD <= max(said.size, 1) / size <= MISREAD
            wrong_polarity = said.polarity in ("bright", "dark") and (said.polarity == "bright") != bright
            self.tiles += 1
            self.wrong_size += wrong_size
            self.wrong_polarity += wrong_polarity
            yield (
                np.s_[row * step : (row + 1) * step, column * step : (column + 1) * step],
                wrong_size or wrong_polarity,
            )


def find_errors(data: Path, engine: str, subset: Subset, most: int | None) -> Iterator[SourceErrors]:
    """Yield the errors of each annotated source of a subset; `most` evenly chosen images of each."""
    for folder, prompt, stems in sources(data, subset, most):
        found = SourceErrors(folder.split("/")[-1])
        for stem in stems:
            pixels, truth = read_raw_pair(data, folder, stem)
            axes = "yxc" if pixels.ndim == 3 else None
            result = segment(pixels, prompt=prompt, engine=engine, durable=False, axes=axes)
            grey = normalize_field(pixels).mean(axis=0)
            found.add(pixels, truth, result, bool(grey[truth > 0].mean() > grey[truth == 0].mean()))
        yield found


def table(errors: list[SourceErrors]) -> str:
    """Write the counts by source as Markdown."""
    names = ["source", "images", "objects", *KINDS, "size misread", "polarity misread", "found there", "elsewhere"]
    rows = [names, ["---"] * len(names)]
    for one in errors:
        annotated = one.objects.total() - one.objects["nothing there"]
        of_tiles = (f"{n} of {one.tiles}" for n in (one.wrong_size, one.wrong_polarity))
        shares = (_share(one.misread), _share(one.objects - one.misread))
        counts = (f"{one.objects[kind]:,}" for kind in KINDS)
        rows.append([one.name, str(one.images), f"{annotated:,}", *counts, *of_tiles, *shares])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_page(path: Path, errors: list[SourceErrors]) -> None:
    """Write the page, and a sheet of pictures into a folder ``images`` beside it."""
    text = _HEAD + table(errors) + "\n" + _MEANING
    shown = [(one, kind) for one in errors for kind in KINDS if kind in one.pictures]
    if shown:
        sheet = path.parent / "images" / f"{path.stem}.png"
        sheet.parent.mkdir(parents=True, exist_ok=True)
        _sheet([one.pictures[kind] for one, kind in shown]).quantize(_SHADES).save(sheet, optimize=True)
        text += (
            f"\n## One of each\n\nAnnotated outlines are blue, drawn ones orange.\n\n![Errors](images/{sheet.name})\n\n"
        )
        rows = [shown[i : i + _COLUMNS] for i in range(0, len(shown), _COLUMNS)]
        text += "".join(
            f"{n}. {', '.join(f'{kind} ({one.name})' for one, kind in row)}\n" for n, row in enumerate(rows, 1)
        )
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Print the errors of nano by kind and source; with ``--write``, write them as a page."""
    parser = argparse.ArgumentParser(prog="python -m napari_s1omni.evaluation.nano.errors", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images")
    parser.add_argument("--engine", default="nano", help="nano, or another folder in its layout")
    parser.add_argument("--subset", default="unseen", choices=("unseen", "validation"), help="images to look at")
    parser.add_argument("--most", type=int, help="images of each source")
    parser.add_argument("--write", type=Path, help="page to write")
    given = parser.parse_args()
    errors = []
    for one in find_errors(given.data, given.engine, given.subset, given.most):
        errors.append(one)
        sys.stdout.write(f"{one.name}: {dict(one.objects)}\n")
        sys.stdout.flush()
    sys.stdout.write(table(errors) + "\n")
    if given.write is not None:
        write_page(given.write, errors)


def _share(objects: Counter[Kind]) -> str:
    total = objects.total()
    return f"{objects['found'] / total:.2f}" if total else ""


def _picture(image: NDArray[np.float32], truth: NDArray[Any], drawn: NDArray[Any], one: Judged) -> NDArray[np.uint8]:
    """Draw the surroundings of an object with the outlines of truth and result, (edge, edge, 3)."""
    height, width = truth.shape
    top = int(np.clip(one.y - _EDGE // 2, 0, max(0, height - _EDGE)))
    left = int(np.clip(one.x - _EDGE // 2, 0, max(0, width - _EDGE)))
    part = np.s_[top : top + _EDGE, left : left + _EDGE]
    light = np.clip(image[(slice(None), *part)], 0, 1)
    picture = np.zeros((_EDGE, _EDGE, 3), np.uint8)
    rows, columns = light.shape[1:]
    seen = picture[:rows, :columns]
    seen[:] = np.rint(255 * np.moveaxis(np.broadcast_to(light, (3, rows, columns)), 0, -1))
    # Colours that people with any colour vision tell apart (Okabe and Ito, 2008).
    for labels, colour in ((truth, (86, 180, 233)), (drawn, (230, 159, 0))):
        seen[_outlines(labels[part])] = colour
    return picture


def _outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of objects beside which, in one of four directions, something else lies."""
    around = np.pad(labels, 1, "edge")
    sides = (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:])
    return np.asarray((labels > 0) & np.any([side != labels for side in sides], axis=0))


def _sheet(pictures: list[NDArray[np.uint8]]) -> Image.Image:
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * (_EDGE + 2), rows * (_EDGE + 2)), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (i % _COLUMNS * (_EDGE + 2), i // _COLUMNS * (_EDGE + 2)))
    return sheet


if __name__ == "__main__":
    main()
