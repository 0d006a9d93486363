"""The page "Correct": paint in a crop of labels, merge it back, undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.status import Failure
from napari_s1omni.frontends.dock.layers.crop_layer import add_crop, visible_box
from napari_s1omni.frontends.dock.layers.editable_labels import ArrayLabels, EditableLabels, ResultLabels
from napari_s1omni.frontends.dock.notifications import errors_shown, show_error
from napari_s1omni.frontends.dock.shortcuts import CROP_KEYS, MERGE_KEYS
from napari_s1omni.frontends.dock.viewer_link import ViewerLink
from napari_s1omni.frontends.dock.widgets.parts import button, row
from napari_s1omni.frontends.napari_layers.open_labels import is_measurable
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.results.restore import restore
from napari_s1omni.storage.result.corrections import Correction

_HELP = (
    "Open a crop of the view of any labels, paint in it (1 erase, 2 paint, 4 fill, M new label) and merge it back. "
    "Only pixels that you changed are written, and each correction can be undone."
)

T = TypeVar("T")


class CorrectPage(QWidget):
    """Corrects labels: those of a result on disk, and those of any other layer in its array.

    Parameters
    ----------
    link : ViewerLink
    background : BackgroundQueue
    """

    def __init__(self, link: ViewerLink, background: BackgroundQueue) -> None:
        super().__init__()
        self._link, self._background = link, background
        self.crop: Any = None
        """The layer that the user paints in, or None."""
        self._before: Any = None
        self._box: tuple[slice, ...] = ()
        self._result: Any = None
        self.open_button = button("Open crop of view", _HELP, self.open_crop, CROP_KEYS)
        self.merge_button = button("Merge back", "Write the changed pixels into the result", self.merge, MERGE_KEYS)
        self.merge_button.setEnabled(False)
        self.state = QLabel("")
        self.list = QListWidget()
        self.undo_button = button("Undo selected", "Undo the selected correction", self.undo)
        self.undo_button.setEnabled(False)
        self.list.currentRowChanged.connect(lambda i: self.undo_button.setEnabled(i >= 0))
        self.restore_button = button(
            "Restore view", "Return the visible part to the result before the last redo", self.restore
        )
        self.restore_button.setEnabled(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        for label in (help_label := QLabel(_HELP), self.state):
            label.setWordWrap(True)
        column.addWidget(help_label)
        column.addWidget(row(self.open_button, self.merge_button, stretch=0))
        column.addWidget(self.state)
        column.addWidget(QLabel("Corrections of these labels"))
        column.addWidget(self.list, 1)
        column.addWidget(row(self.undo_button, self.restore_button))
        self._edited: dict[Any, EditableLabels] = {}
        link.viewer.layers.selection.events.active.connect(self._on_active_layer)
        link.viewer.layers.events.removed.connect(self._on_layer_removed)

    def shut(self) -> None:
        """Stop listening to the viewer."""
        self._link.viewer.layers.selection.events.active.disconnect(self._on_active_layer)
        self._link.viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def add(self, run: Run) -> None:
        """List the corrections again when a run ends."""
        run.ended.connect(self._on_run_ended)

    def result_layer(self) -> Any:
        """Return the active labels layer, else the last one; None without one. Crops and previews do not count."""
        active = self._link.viewer.layers.selection.active
        layers = [x for x in self._link.viewer.layers if is_measurable(x)]
        # Plugins get the active layer as a proxy of napari, which is equal but not the same.
        return next((x for x in layers if x == active), layers[-1] if layers else None)

    def open_crop(self) -> None:
        """Open a writable copy of the visible part of the labels."""
        with errors_shown():
            layer, box = self._visible_labels()
            labels = self._labels_of(layer)
            self.state.setText("Reading the crop …")
            self.open_button.setEnabled(False)

            def read() -> tuple[Any, int]:
                return labels.read(box), labels.highest()

            self._submit(read, lambda found: self._on_opened(layer, box, *found))

    def merge(self) -> None:
        """Write the painted pixels into the result."""
        crop, before, box, layer = self.crop, self._before, self._box, self._result
        if crop is None:
            show_info("No crop is open. Open one and paint in it.")
            return
        labels, painted = self._labels_of(layer), crop.data
        self.merge_button.setEnabled(False)

        def work() -> Correction | None:
            return labels.correct(box, before, np.array(painted).reshape(before.shape))

        self._submit(work, lambda correction: self._on_merged(layer, crop, correction))

    def undo(self) -> None:
        """Undo the selected correction."""
        item, layer = self.list.currentItem(), self.result_layer()
        if item is None or layer is None:
            return
        correction: Correction = item.data(Qt.ItemDataRole.UserRole)
        labels = self._labels_of(layer)
        self._submit(
            lambda: labels.undo(correction),
            lambda _: self._on_changed(layer, f"Correction {correction.number} is undone."),
        )

    def undo_last(self) -> None:
        """Undo the selected correction, or the last one that is not undone yet."""
        rows = [i for i in range(self.list.count()) if not self.list.item(i).data(Qt.ItemDataRole.UserRole).undone]
        if self.list.currentItem() is None and rows:
            self.list.setCurrentRow(rows[0])
        if self.list.currentItem() is None:
            show_info("There is no correction to undo.")
            return
        self.undo()

    def restore(self) -> None:
        """Return the visible part to the result before the last redo."""
        with errors_shown():
            layer, box = self._visible_labels()
            path, pyramid = _output(layer), layer.metadata[RESULT_KEY]["pyramid"]
            self.restore_button.setEnabled(False)

            def work() -> str:
                correction = restore(path, box)
                pyramid.finish()
                return f"{correction.changed:,} pixels restored." if correction else "Nothing differs here."

            self._submit(work, lambda message: self._on_changed(layer, message))

    def _labels_of(self, layer: Any) -> EditableLabels:
        if layer not in self._edited:
            self._edited[layer] = ResultLabels(layer) if _output(layer) else ArrayLabels(layer)
        return self._edited[layer]

    def _visible_labels(self) -> tuple[Any, tuple[slice, ...]]:
        """Return the labels layer and its visible part.

        Raises
        ------
        JobError
            If there are no labels that can be written, or no part of them is in view.
        """
        layer = self.result_layer()
        if layer is None:
            raise JobError("no labels are open", "a labels layer", "open one, or make one on the page 'Job'")
        self._labels_of(layer).prepare()
        return layer, visible_box(self._link.viewer, layer)

    def _submit(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        self._background.submit(work, then, self._on_failed)

    def _on_failed(self, error: Failure) -> None:
        self.open_button.setEnabled(True)
        self.merge_button.setEnabled(self.crop is not None)
        self.state.setText("")
        show_error(error)

    def _on_opened(self, layer: Any, box: tuple[slice, ...], pixels: Any, highest: int) -> None:
        self.crop = add_crop(self._link, layer, box, pixels, highest + 1)
        self._before, self._box, self._result = pixels, box, layer
        self.open_button.setEnabled(True)
        self.merge_button.setEnabled(True)
        size = " x ".join(str(b.stop - b.start) for b in box)
        self.state.setText(f"Painting in {size} px. New objects start at label {self.crop.selected_label:,}.")

    def _on_merged(self, layer: Any, crop: Any, correction: Correction | None) -> None:
        if correction is None:
            self.merge_button.setEnabled(True)
            self.state.setText("Nothing was changed.")
            return
        # What was hidden under the crop is shown again as the crop goes.
        self._link.remove(crop)
        if layer in self._link.viewer.layers:
            self._link.viewer.layers.selection.active = layer
        self._on_changed(layer, f"{correction.changed:,} pixels merged into '{layer.name}'.")

    def _on_layer_removed(self, event: Any) -> None:
        """Forget a layer; show the labels under a crop again when it goes, merged or deleted."""
        self._edited.pop(event.value, None)
        if self.crop is None or event.value is not self.crop:
            return
        self.crop = None
        self.merge_button.setEnabled(False)
        self.state.setText("")
        if self._result in self._link.viewer.layers:
            self._result.visible = True

    def _on_changed(self, layer: Any, message: str) -> None:
        if layer in self._link.viewer.layers:
            layer.refresh()
        show_info(message)
        self._list_corrections()

    def _on_active_layer(self, event: Any = None) -> None:
        self._list_corrections()

    def _on_run_ended(self, run: Run) -> None:
        self._list_corrections()

    def _list_corrections(self) -> None:
        layer = self.result_layer()
        if layer is None:
            self.list.clear()
            return
        labels = self._labels_of(layer)

        def read() -> tuple[list[Correction], bool]:
            return labels.corrections(), labels.has_snapshot()

        self._submit(read, lambda found: self._show_corrections(*found))

    def _show_corrections(self, found: list[Correction], kept: bool) -> None:
        self.restore_button.setEnabled(kept)
        self.list.clear()
        for one in reversed(found):
            when = time.strftime("%d %b %H:%M", time.localtime(one.when))
            state = ", undone" if one.undone else ""
            item = QListWidgetItem(f"{one.number}: {one.changed:,} pixels, {when}{state}")
            item.setData(Qt.ItemDataRole.UserRole, one)
            self.list.addItem(item)


def _output(layer: Any) -> Any:
    """Return the output folder of a result layer, None for other layers."""
    found = layer.metadata.get(RESULT_KEY, {}).get("output")
    return Path(found) if found else None
