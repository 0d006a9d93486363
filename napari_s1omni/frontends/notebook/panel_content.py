"""The content of a panel: source, run and last preview, and the answers to what a view asks about them.

A view is one place on a page that shows the panel. It asks with a message and
gets a reply: plain data, and pictures as bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.execution.pipeline.thought_keys import find_thought
from napari_s1omni.frontends.notebook.slices import ResultSlices, SourceSlices
from napari_s1omni.frontends.notebook.view import View, encode_png
from napari_s1omni.frontends.session.preview.events import PreviewPixels
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_colours import QUANTITIES, Quantity

Reply = tuple[dict[str, Any], list[bytes]]
"""Plain data, and pictures as PNG."""


@dataclass(slots=True)
class PanelContent:
    """What a panel shows; every part is None until there is one."""

    slices: SourceSlices | None = None
    run: Run | None = None
    preview: PreviewPixels | None = None

    def view(self, message: Mapping[str, Any]) -> Reply:
        """Draw a view: the source, and above it the preview or the result."""
        if self.slices is None:
            return {"kind": "notice", "text": "the image is not open yet"}, []
        view = self.slices.clamp(View.read(message))
        source = self.slices.render(view)
        # The result is shown with the contrast limits of the source.
        view = dataclasses.replace(view, low=source.low, high=source.high)
        reply: dict[str, Any] = {
            **{name: getattr(view, name) for name in ("y", "x", "zoom", "t", "c", "z")},
            "low": source.low,
            "high": source.high,
            "before": [*source.y, *source.x],
            "layers": [],
        }
        pictures = [source.png]
        for name, layer in self._layers():
            if (drawn := layer.render(view)) is not None:
                reply["layers"].append({"name": name, "box": [*drawn.y, *drawn.x], "kind": layer.plan.target.kind})
                pictures.append(drawn.png)
        return reply, pictures

    def grid(self, message: Mapping[str, Any]) -> Reply:
        """Draw the tiles of one plane in colours, by the quantity that the view has chosen."""
        run = self.run
        if run is None:
            return {"rows": 0, "cols": 0}, []
        by: Quantity = next((name for name in QUANTITIES if name == message.get("by")), "state")
        colours = run.tiles.colour_image(by, int(message.get("z") or 0), int(message.get("t") or 0))
        step = run.plan.grid.step
        (rows, cols), (top, left) = run.tiles.cells, run.tiles.corner
        reply = {
            "rows": rows,
            "cols": cols,
            "box": [top, top + rows * step, left, left + cols * step],
            "counts": run.tiles.counts(),
        }
        return reply, [encode_png(Image.fromarray(colours))]

    def trace(self, message: Mapping[str, Any]) -> Reply:
        """Return the tile at a position, and the thought behind it."""
        run, preview = self.run, self.preview
        y, x = float(message.get("y") or 0), float(message.get("x") or 0)
        z, t = int(message.get("z") or 0), int(message.get("t") or 0)
        plan = preview.plan if preview is not None else run.plan if run is not None else None
        if plan is None:
            return {"sentence": "no tile is finished yet"}, []
        grid = plan.grid
        if not (grid.y[0] <= y < grid.y[1] and grid.x[0] <= x < grid.x[1]):
            return {"sentence": "outside of the region"}, []
        row, col = (min(int(v // grid.step), n - 1) for v, n in zip((y, x), grid.lattice, strict=True))
        box: list[int] = []
        for at, n, size in zip((row, col), grid.lattice, grid.extent, strict=True):
            # The last tile of an axis reaches the edge of the image.
            box += [at * grid.step, size if at == n - 1 else (at + 1) * grid.step]
        sentence, found = f"tile {row}/{col} of the preview", None
        if preview is not None:
            found = find_thought(plan, preview.thoughts, TilePlace(t, z, 0, row, col))
        elif run is not None and (info := run.tiles.at(y, x, z, t)) is not None:
            sentence, found = info.summary(), run.thoughts.of_tile(info.place)
        reply = {"sentence": sentence, "box": box}
        if found is not None:
            key, thought = found
            reply["sentence"] = " ".join(part for part in (sentence, thought.remark, plan.told) if part)
            reply |= {"key": key, "trace": thought.trace or thought.text, "answer": thought.answer}
        return reply, []

    def _layers(self) -> list[tuple[str, ResultSlices]]:
        if self.preview is not None:
            return [("preview", ResultSlices(self.preview.plan, [self.preview.pixels]))]
        if self.run is not None:
            return [("result", ResultSlices(self.run.plan, self.run.pyramid.data))]
        return []
