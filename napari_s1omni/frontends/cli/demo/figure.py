"""The picture of the demo: input with its tiles, result, overlay, and what was thought; one row per operation."""

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
"""Of a panel."""
MARGIN, GAP = 36, 18
_HEAD, _CAPTION = 92, 26
_MARK = PALETTE[0]
_CARD = 590
"""Width of a card."""
_THUMB = 132
"""Edge of a tile in a card."""
_DETAIL = 4.0
"""Panel px per source px in the detail of the super-resolved image."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One run of the demo, finished."""

    source: NDArray[np.uint8]
    """(H, W) or (H, W, 3)."""
    result: Result
    truth: NDArray[np.uint8] | None = None
    """What the result should be, where that is known."""


def draw(coins: Shown, retina: Shown, dab: Shown, hematoxylin: Shown) -> Image.Image:
    """Draw the picture.

    Parameters
    ----------
    coins, retina, dab, hematoxylin : Shown
        A segmentation, a super-resolution, and two translations of one image.
    """
    row = HEIGHT + _CAPTION + 46
    sheet = Sheet(2 * MARGIN + 3 * (WIDTH + GAP) + _CARD, _HEAD + 3 * row + 14)
    sheet.text("Three operations, tile by tile, each with its reasons", MARGIN, 26, 27)
    sheet.text(
        "real images that ship inside scikit-image; results as OME-Zarr beside this picture", MARGIN, 60, 14, GREY
    )
    _segmentation(sheet, _HEAD, coins)
    _super_resolution(sheet, _HEAD + row, retina)
    _translation(sheet, _HEAD + 2 * row, dab, hematoxylin)
    return sheet.render()


def _segmentation(sheet: Sheet, top: float, shown: Shown) -> None:
    view = _whole(shown.source)
    labels = view.labels(np.asarray(shown.result.array[...]))
    tile = (1, 2)
    panels = [
        ("a", "input, its tiles and blocks", _tiled(shown, view, tile)),
        ("b", f"result: {int(shown.result.array[...].max())} objects, one id each", _map(labels)),
        ("c", "overlay", figure.draw_contours(view.image(shown.source), labels, thickness=4)),
    ]
    _row(sheet, top, "Segmentation", shown.result, panels)
    _thought(sheet, top, shown.result, tile, "d", view, (view.image(shown.source), panels[2][2]))


def _super_resolution(sheet: Sheet, top: float, shown: Shown) -> None:
    view, tile = _whole(shown.source), (1, 0)
    factor = shown.result.plan.grid.factor[0]
    y, x = 140.0, 14.0
    near = PanelView(WIDTH, HEIGHT, _DETAIL, y, x)
    tiled = _tiled(shown, view, tile)
    seen = view.box((y, y + HEIGHT / _DETAIL), (x, x + WIDTH / _DETAIL))
    ImageDraw.Draw(tiled).rectangle(seen, outline=PALETTE[3], width=4)
    fine = PanelView(WIDTH, HEIGHT, _DETAIL / factor, y * factor, x * factor)
    drawn = np.asarray(shown.result.array[...])
    panels = [
        ("e", "input, its tiles and blocks; yellow: the detail", tiled),
        ("f", "detail of the input, px as they are", near.image(shown.source, smooth=False)),
        ("g", f"result: {factor} x {factor} px for each{_gain(shown, drawn)}", fine.image(drawn, smooth=False)),
    ]
    _row(sheet, top, "Super-resolution", shown.result, panels)
    whole = PanelView(WIDTH, HEIGHT, view.zoom / factor)
    _thought(sheet, top, shown.result, tile, "h", view, (view.image(shown.source), whole.image(drawn)))


def _gain(shown: Shown, drawn: NDArray[np.uint8]) -> str:
    if shown.truth is None:
        return ""
    height, width = shown.truth.shape[:2]
    bicubic = np.asarray(Image.fromarray(shown.source).resize((width, height), Image.Resampling.BICUBIC))
    ours, theirs = (psnr(shown.truth, image, 255) for image in (drawn, bicubic))
    return f"; PSNR {ours:.1f} dB, bicubic {theirs:.1f} dB"


def _translation(sheet: Sheet, top: float, first: Shown, second: Shown) -> None:
    view, tile = _whole(first.source), (1, 1)
    panels = [
        ("i", "input, its tiles and blocks", _tiled(first, view, tile)),
        ("j", f"result: {_target(first)}", view.image(_stain(first.result, (120, 62, 20)))),
        ("k", f"result: {_target(second)}", view.image(_stain(second.result, (40, 45, 130)))),
    ]
    _row(sheet, top, "Modality translation", first.result, panels)
    _thought(sheet, top, first.result, tile, "l", view, (view.image(first.source), panels[1][2]))


def _row(sheet: Sheet, top: float, name: str, result: Result, panels: list[tuple[str, str, Image.Image]]) -> None:
    end = sheet.text(name, MARGIN, top, 19)
    sheet.text(_facts(result), end + 14, top + 4.5, 14, GREY)
    for column, (letter, words, image) in enumerate(panels):
        left = MARGIN + column * (WIDTH + GAP)
        sheet.panel(image, left, top + 32)
        sheet.text(letter, left, top + 32 + HEIGHT + 6, 15)
        sheet.text(words, left + 16, top + 32 + HEIGHT + 6.5, 14, GREY)


def _thought(
    sheet: Sheet,
    top: float,
    result: Result,
    tile: tuple[int, int],
    letter: str,
    view: PanelView,
    images: tuple[Image.Image, Image.Image],
) -> None:
    """What was thought for a tile, above the tile as it was read and as it was drawn."""
    grid = result.plan.grid
    y, x = (i * grid.step + grid.tile_size / 2 for i in tile)
    found = result.thought_at(y, x)
    left, top = MARGIN + 3 * (WIDTH + GAP), top + 32
    key, words = (found[0], found[1].trace) if found else ("", "nothing was thought here")
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
    whose = "its thought" if "/tile/" in key else "all tiles share this thought"
    sheet.text(letter, left, top + HEIGHT + 6, 15)
    sheet.text(f"tile {tile[0]}, {tile[1]} as read and as drawn; {whose}", left + 16, top + HEIGHT + 6.5, 14, GREY)


def _facts(result: Result) -> str:
    grid = result.plan.grid
    rows, cols = grid.lattice
    height, width = grid.extent
    tiles = f"{rows * cols} tiles of {grid.tile_size} px, {len(grid)} blocks"
    return f"{width} x {height} px, {tiles}, engine {result.plan.engine.name}"


def _whole(source: NDArray[np.uint8]) -> PanelView:
    """Fill a panel with an image, cutting what does not fit its shape."""
    height, width = source.shape[:2]
    return PanelView(WIDTH, HEIGHT, max(WIDTH / width, HEIGHT / height))


def _tiled(shown: Shown, view: PanelView, marked: tuple[int, int]) -> Image.Image:
    """The input with the lattice of tiles, the blocks, and one tile marked."""
    grid = shown.result.plan.grid
    lattice = [(r, c) for r in range(grid.lattice[0]) for c in range(grid.lattice[1])]
    reach = {at: tuple((i * grid.step, i * grid.step + grid.tile_size) for i in at) for at in lattice}
    image = view.image(shown.source)
    image = figure.draw_boxes(image, [view.box(*reach[at]) for at in lattice], (255, 255, 255), 0.45, 2)
    image = figure.draw_boxes(image, [view.box(b.y, b.x) for b in grid], (255, 255, 255), 0.95, 4)
    return figure.draw_boxes(image, [view.box(*reach[marked])], _MARK, 1.0, 6)


def _map(labels: NDArray[Any]) -> Image.Image:
    """Objects in colours on black, parted by thin dark lines where they touch."""
    return Image.fromarray(figure.label_colours(labels))


def _stain(result: Result, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Show an amount of stain as that much of its colour on white."""
    amount = np.asarray(result.array[...], np.float32)
    high = max(float(np.percentile(amount, 99.5)), 1e-6)
    amount = np.clip(amount / high, 0, 1)[..., None]
    shown: NDArray[np.uint8] = np.rint(255 * (1 - amount) + np.array(colour, np.float32) * amount).astype(np.uint8)
    return shown


def _target(shown: Shown) -> str:
    options: Mapping[str, Any] = shown.result.plan.job.operation.model_dump()
    return f"{options['target']}, as an amount of stain"
