"""Lets napari delete what a removed layer drew with in the graphics context in which it was drawn.

napari 0.9 deletes the shader programs of a layer in whatever context is current, often that of Qt. Drivers that draw in
software (virtual machines, remote desktops) free them under the canvas, and napari ends at its next frame.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget


class OwnContext:
    """Makes the context of the canvas current when a layer is about to be removed.

    Parameters
    ----------
    window : QWidget
        The window with the canvas.
    viewer : napari.Viewer
    """

    def __init__(self, window: QWidget, viewer: Any) -> None:
        self._window = window
        # napari's own functions come before ours at each event, so this is the one before its deletion.
        self._removing = viewer.layers.events.removing
        self._removing.connect(self._make_current)

    def close(self) -> None:
        """Stop listening to the viewer."""
        self._removing.disconnect(self._make_current)

    def _make_current(self, event: Any = None) -> None:
        for widget in self._window.findChildren(QWidget):
            # vispy's own; which class of Qt it is depends on the version of Qt.
            canvas = getattr(widget, "_vispy_canvas", None)
            if canvas is not None:
                canvas.set_current()
