"""The layer that shows a preview over its source, cut off by a slider."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.frontends.dock.layers.shared_contrast import contrast_of, link_contrast, shares_contrast
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_transforms import result_transform
from napari_s1omni.frontends.napari_layers.result_layers import GENERATED, RESULT_KEY, appearance, display_axes
from napari_s1omni.frontends.session.preview.events import PreviewPixels
from napari_s1omni.frontends.views.display_axes import DisplayAxes

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
        self._x_axis = -1

    def show(self, preview: PreviewPixels, source: LayerSource) -> None:
        """Show a preview, or what is there of it, instead of the last one."""
        self.clear()
        plan, target = preview.plan, preview.plan.target
        display = display_axes(source, target)
        # A preview has one plane along axes that the result lacks.
        thin = DisplayAxes(display.axes, tuple(int(n > 0) for n in display.sizes))
        self._pixels = thin.arrange(preview.pixels, target.axes)
        self._x_axis = display.axes.replace("c", "").index("x") if target.rgb else display.axes.index("x")
        labels = target.kind == "labels"
        generated = plan.generated
        options = {
            **result_transform(source, plan, display),
            "name": f"{NAME} [{GENERATED}]" if generated else NAME,
            "metadata": {RESULT_KEY: {NAME: True, GENERATED: generated}},
            **appearance(plan),
        }
        if labels:
            options["opacity"] = 0.55
        shared = shares_contrast(plan, self._link.layer)
        if shared:
            options |= contrast_of(self._link.layer)
        self.layer = self._link.add(np.array(self._pixels), "labels" if labels else "image", **options)
        if shared:
            link_contrast(self._link.layer, self.layer)

    def show_part(self, share: float) -> None:
        """Show the preview left of a share of its width, and the source right of it."""
        if self.layer is None or self.layer not in self._link.viewer.layers:
            return
        columns = max(1, round(share * self._pixels.shape[self._x_axis]))
        self.layer.data = np.array(self._pixels[(slice(None),) * self._x_axis + (slice(0, columns),)])
        self.layer.visible = share > 0

    def clear(self) -> None:
        """Remove the preview."""
        self._link.remove(self.layer)
        self.layer = None
