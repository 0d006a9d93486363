"""Figure of the demo: one row per operation, with input, tiles, result and a thought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_s1omni.evaluation.metrics import psnr
from napari_s1omni.results import figure
from napari_s1omni.results.figure import GREY, INK, PALETTE, PanelView, Sheet
from napari_s1omni.results.result import Result

WIDTH, HEIGHT = 420, 332
"""Size of a panel in pixels."""
MARGIN, GAP = 36, 18
_HEAD, _CAPTION = 92, 26
_MARK = PALETTE[0]
_CARD = 590
"""Width of a text card in pixels."""
_THUMB = 132
"""Edge of a tile on a card in pixels."""
_DETAIL = 4.0
"""Pixels of the panel per pixel of the source, in the detail of the super-resolved image."""


@dataclass(frozen=True, slots=True)
class DemoRun:
    """A finished run of the demo."""

    source: NDArray[np.uint8]
    """(H, W) or (H, W, 3)."""
    result: Result
    truth: NDArray[np.uint8] | None = None
    """Ground truth, if it is known."""


def draw(coins: DemoRun, retina: DemoRun, dab: DemoRun, hematoxylin: DemoRun) -> Image.Image:
    """Draw the figure.

    Parameters
    ----------
    coins, retina, dab, hematoxylin : DemoRun
        A segmentation, a super-resolution, and two translations of one image.
    """
    row = HEIGHT + _CAPTION + 46
    sheet = Sheet(2 * MARGIN + 3 * (WIDTH + GAP) + _CARD, _HEAD + 3 * row + 14)
    sheet.text("Three operations, tile by tile, each with its reasoning", MARGIN, 26, 27)
    sheet.text(
        "real images from scikit-image; the results are OME-Zarr stores beside this figure", MARGIN, 60, 14, GREY
    )
    _segmentation(sheet, _HEAD, coins)
    _super_resolution(sheet, _HEAD + row, retina)
    _translation(sheet, _HEAD + 2 * row, dab, hematoxylin)
    return sheet.render()


def _segmentation(sheet: Sheet, top: float, run: DemoRun) -> None:
    view = _whole(run.source)
    labels = view.labels(np.asarray(run.result.array[...]))
    tile = (1, 2)
    panels = [
        ("a", "input with tiles and blocks", _tiled(run, view, tile)),
        ("b", f"result: {int(run.result.array[...].max())} objects, one colour each", _draw_labels(labels)),
        ("c", "overlay", figure.draw_contours(view.image(run.source), labels, thickness=4)),
    ]
    _draw_row(sheet, top, "Segmentation", run.result, panels)
    _draw_thought(sheet, top, run.result, tile, "d", view, (view.image(run.source), panels[2][2]))


def _super_resolution(sheet: Sheet, top: float, run: DemoRun) -> None:
    view, tile = _whole(run.source), (1, 0)
    factor = run.result.plan.grid.factor[0]
    y, x = 140.0, 14.0
    near = PanelView(WIDTH, HEIGHT, _DETAIL, y, x)
    tiled = _tiled(run, view, tile)
    seen = view.box((y, y + HEIGHT / _DETAIL), (x, x + WIDTH / _DETAIL))
    ImageDraw.Draw(tiled).rectangle(seen, outline=PALETTE[3], width=4)
    fine = PanelView(WIDTH, HEIGHT, _DETAIL / factor, y * factor, x * factor)
    drawn = np.asarray(run.result.array[...])
    panels = [
        ("e", "input with tiles and blocks; yellow: detail", tiled),
        ("f", "detail of the input, not interpolated", near.image(run.source, smooth=False)),
        (
            "g",
            f"result: {factor} x {factor} pixels for each{_gain(run, drawn)}",
            fine.image(drawn, smooth=False),
        ),
    ]
    _draw_row(sheet, top, "Super-resolution", run.result, panels)
    whole = PanelView(WIDTH, HEIGHT, view.zoom / factor)
    _draw_thought(sheet, top, run.result, tile, "h", view, (view.image(run.source), whole.image(drawn)))


def _gain(run: DemoRun, drawn: NDArray[np.uint8]) -> str:
    if run.truth is None:
        return ""
    height, width = run.truth.shape[:2]
    bicubic = np.asarray(Image.fromarray(run.source).resize((width, height), Image.Resampling.BICUBIC))
    ours, theirs = (psnr(run.truth, image, 255) for image in (drawn, bicubic))
    return f"; PSNR {ours:.1f} dB, bicubic {theirs:.1f} dB"


def _translation(sheet: Sheet, top: float, first: DemoRun, second: DemoRun) -> None:
    view, tile = _whole(first.source), (1, 1)
    panels = [
        ("i", "input with tiles and blocks", _tiled(first, view, tile)),
        ("j", f"result: {_target(first)}", view.image(_stain(first.result, (120, 62, 20)))),
        ("k", f"result: {_target(second)}", view.image(_stain(second.result, (40, 45, 130)))),
    ]
    _draw_row(sheet, top, "Modality translation", first.result, panels)
    _draw_thought(sheet, top, first.result, tile, "l", view, (view.image(first.source), panels[1][2]))


def _draw_row(sheet: Sheet, top: float, name: str, result: Result, panels: list[tuple[str, str, Image.Image]]) -> None:
    end = sheet.text(name, MARGIN, top, 19)
    sheet.text(_facts(result), end + 14, top + 4.5, 14, GREY)
    for column, (letter, words, image) in enumerate(panels):
        left = MARGIN + column * (WIDTH + GAP)
        sheet.panel(image, left, top + 32)
        sheet.text(letter, left, top + 32 + HEIGHT + 6, 15)
        sheet.text(words, left + 16, top + 32 + HEIGHT + 6.5, 14, GREY)


def _draw_thought(
    sheet: Sheet,
    top: float,
    result: Result,
    tile: tuple[int, int],
    letter: str,
    view: PanelView,
    images: tuple[Image.Image, Image.Image],
) -> None:
    """Draw the thought of a tile beside its input and its result."""
    grid = result.plan.grid
    y, x = (i * grid.step + grid.tile_size / 2 for i in tile)
    found = result.thought_at(y, x)
    left, top = MARGIN + 3 * (WIDTH + GAP), top + 32
    key, words = (found[0], found[1].trace) if found else ("", "no thought is stored for this tile")
    lines = [(f"\u201c{result.plan.job.operation.prompt}\u201d", 14.5, INK)]
    lines += [(line, 11.8, (55, 60, 68) if line.startswith("- ") else INK) for line in words.splitlines()]
    sheet.card(lines, (left, top, left + _CARD, top + HEIGHT), _MARK, margin_right=_THUMB + 18)
    place = view.box(*((i * grid.step, i * grid.step + grid.tile_size) for i in tile))
    size = (_THUMB * figure.SCALE, _THUMB * figure.SCALE)
    for i, image in enumerate(images):
        sheet.panel(
            image.resize(size, Image.Resampling.LANCZOS, place),
            left + _CARD - _THUMB - 18,
            top + 18 + i * (_THUMB + 14),
        )
    scope = "its thought" if "/tile/" in key else "one thought for all tiles"
    sheet.text(letter, left, top + HEIGHT + 6, 15)
    sheet.text(f"tile {tile[0]}, {tile[1]}: input, result and {scope}", left + 16, top + HEIGHT + 6.5, 14, GREY)


def _facts(result: Result) -> str:
    grid = result.plan.grid
    rows, cols = grid.lattice
    height, width = grid.extent
    tiles = f"{rows * cols} tiles of {grid.tile_size} px, {len(grid)} blocks"
    return f"{width} x {height} px, {tiles}, engine {result.plan.engine.name}"


def _whole(source: NDArray[np.uint8]) -> PanelView:
    """Return a view that fills a panel with an image and cuts off the rest."""
    height, width = source.shape[:2]
    return PanelView(WIDTH, HEIGHT, max(WIDTH / width, HEIGHT / height))


def _tiled(run: DemoRun, view: PanelView, marked: tuple[int, int]) -> Image.Image:
    """Draw the input with its tiles and blocks, and one tile marked."""
    grid = run.result.plan.grid
    lattice = [(r, c) for r in range(grid.lattice[0]) for c in range(grid.lattice[1])]
    reach = {at: tuple((i * grid.step, i * grid.step + grid.tile_size) for i in at) for at in lattice}
    image = view.image(run.source)
    image = figure.draw_boxes(image, [view.box(*reach[at]) for at in lattice], (255, 255, 255), 0.45, 2)
    image = figure.draw_boxes(image, [view.box(b.y, b.x) for b in grid], (255, 255, 255), 0.95, 4)
    return figure.draw_boxes(image, [view.box(*reach[marked])], _MARK, 1.0, 6)


def _draw_labels(labels: NDArray[Any]) -> Image.Image:
    """Draw objects in colours on black."""
    return Image.fromarray(figure.label_colours(labels))


def _stain(result: Result, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw an amount of stain as its colour on white."""
    amount = np.asarray(result.array[...], np.float32)
    high = max(float(np.percentile(amount, 99.5)), 1e-6)
    amount = np.clip(amount / high, 0, 1)[..., None]
    shown: NDArray[np.uint8] = np.rint(255 * (1 - amount) + np.array(colour, np.float32) * amount).astype(np.uint8)
    return shown


def _target(run: DemoRun) -> str:
    options: Mapping[str, Any] = run.result.plan.job.operation.model_dump()
    return f"{options['target']}, as an amount of stain"
