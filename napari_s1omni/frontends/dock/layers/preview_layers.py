"""Previews: the layer that shows a preview over its source, with a curtain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.frontends.dock.viewer_link import MARK, ViewerLink
from napari_s1omni.frontends.napari_layers.layers import GENERATED, Located, appearance, place, show_of
from napari_s1omni.frontends.session.preview_client import Previewed
from napari_s1omni.frontends.views.live_pyramid import DisplayAxes, LivePyramid

NAME = "preview"


class PreviewLayers:
    """Shows previews in the viewer.

    Parameters
    ----------
    link : ViewerLink
    """

    def __init__(self, link: ViewerLink) -> None:
        self._link = link
        self.layer: Any = None
        """The layer of the last preview."""
        self._pixels: Any = None
        self._columns = -1

    def show(self, made: Previewed, located: Located) -> None:
        """Show a preview in place of the one before."""
        self.clear()
        target = made.plan.target
        show = show_of(located, target)
        # Along axes that the result lacks, a preview is as thin as it is.
        thin = DisplayAxes(show.axes, tuple(int(n > 0) for n in show.sizes))
        self._pixels = LivePyramid(made.plan, Path(), thin).shown(made.pixels)
        self._columns = show.axes.replace("c", "").index("x") if target.rgb else show.axes.index("x")
        options = place(located, made.plan, show)
        labels = target.kind == "labels"
        generated = made.plan.generated
        name = f"{NAME} [{GENERATED}]" if generated else NAME
        options |= {"name": name, "metadata": {MARK: {NAME: True, GENERATED: generated}}, **appearance(made.plan)}
        if labels:
            options["opacity"] = 0.55
        self.layer = self._link.add(np.array(self._pixels), "labels" if labels else "image", **options)

    def curtain(self, share: float) -> None:
        """Show the result left of a share of its width, and the source right of it."""
        if self.layer is None or self.layer not in self._link.viewer.layers:
            return
        n = self._pixels.shape[self._columns]
        keep = max(1, round(share * n))
        self.layer.data = np.array(self._pixels[(slice(None),) * self._columns + (slice(0, keep),)])
        self.layer.visible = share > 0

    def clear(self) -> None:
        """Take the preview away."""
        self._link.remove(self.layer)
        self.layer = None
