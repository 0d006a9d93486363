"""CorrectPage: paint in a crop of a large result, merge it back, undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_s1omni.errors import JobError, S1OmniError
from napari_s1omni.execution.run.status import failure
from napari_s1omni.frontends.dock.layers.result_layers import ResultLayers
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.dock.viewer_link import MARK, ViewerLink
from napari_s1omni.frontends.dock.widgets.parts import button, row
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.results.restore import restore
from napari_s1omni.storage.result.corrections import Correction, apply_correction, list_corrections, undo_correction
from napari_s1omni.storage.result.snapshots import has_snapshot
from napari_s1omni.storage.result.store import ResultStore

_LARGEST = 4096
"""Edge in px of a crop at most."""
CROP = "crop"

_HELP = (
    "Open a crop of what you see, paint in it (1 erase, 2 paint, 4 fill, M new label), and merge it back. Only px "
    "that you changed are written; what was there before is kept."
)


class CorrectPage(QWidget):
    """The fourth page of the dock.

    Parameters
    ----------
    link : ViewerLink
    results : ResultLayers
    """

    def __init__(self, link: ViewerLink, results: ResultLayers) -> None:
        super().__init__()
        self._link, self._results = link, results
        self.crop: Any = None
        """The layer that is painted in, or None."""
        self._before: Any = None
        self._box: tuple[slice, ...] = ()
        self._source: Any = None
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(5)
        words = QLabel(_HELP)
        words.setWordWrap(True)
        column.addWidget(words)
        self.open_button = button("Open a crop of what I see", _HELP, self.open_crop, "Alt+C", self)
        self.merge_button = button("Merge back", "Write the changed px into the result", self.merge, "Alt+M", self)
        self.merge_button.setEnabled(False)
        column.addWidget(row(self.open_button, self.merge_button, stretch=0))
        self.state = QLabel("")
        self.state.setWordWrap(True)
        column.addWidget(self.state)
        column.addWidget(QLabel("Corrections of this result"))
        self.list = QListWidget()
        column.addWidget(self.list, 1)
        self.undo_button = button("Undo the chosen one", "Bring back what was there before", self.undo)
        self.undo_button.setEnabled(False)
        self.list.currentRowChanged.connect(lambda i: self.undo_button.setEnabled(i >= 0))
        self.restore_button = button(
            "Bring back what I see", "Return, in this view, to the result before tiles were redone", self.restore
        )
        self.restore_button.setEnabled(False)
        column.addWidget(row(self.undo_button, self.restore_button))
        link.viewer.layers.selection.events.active.connect(self._activated)

    def shut(self) -> None:
        """Let go of the viewer."""
        self._link.viewer.layers.selection.events.active.disconnect(self._activated)

    def add(self, run: Run) -> None:
        """Take note of a run."""
        run.ended.connect(lambda _: self._list())

    def result_layer(self) -> Any:
        """Return the chosen labels layer that is a result of ours, else the last one."""
        active = self._link.viewer.layers.selection.active
        layers = [x for x in self._link.viewer.layers if type(x).__name__ == "Labels" and self._output(x)]
        return active if active in layers else layers[-1] if layers else None

    def open_crop(self) -> None:
        """Open a writable copy of the part of the result that is in view."""
        found = self._in_view()
        if found is None:
            return
        layer, box = found
        levels = layer.metadata[MARK]["levels"]
        self.state.setText("Reading the crop …")
        self.open_button.setEnabled(False)

        def read() -> None:
            self._tried(lambda: self._opened(layer, box, np.array(levels.read(0, box))))

        self._results.ask(read)

    def _in_view(self) -> tuple[Any, tuple[slice, ...]] | None:
        """The result and the part of it that is in view; None, and a notification, where there is none."""
        try:
            layer = self.result_layer()
            if layer is None:
                raise JobError("no labels of ours are open", "a labels layer that a run made", "open or make one")
            if not layer.metadata[MARK]["levels"].complete:
                raise JobError("the labels are not joined yet", "a complete result", "wait until the run has ended")
            return layer, self._box_in_view(layer)
        except S1OmniError as error:
            show_error(failure(error))
            return None

    def merge(self) -> None:
        """Write what was painted into the result."""
        crop, before, box, layer = self.crop, self._before, self._box, self._source
        if crop is None:
            show_info("No crop is open; open one and paint in it.")
            return
        levels = layer.metadata[MARK]["levels"]
        painted = crop.data
        path = self._output(layer)
        self.merge_button.setEnabled(False)

        def write() -> None:
            def work() -> Callable[[], None]:
                after = np.array(painted).reshape(before.shape)
                made = apply_correction(ResultStore.open(path, "r+"), box, before, after)
                levels.finish()
                return lambda: self._merged(layer, crop, made)

            self._later(work)

        self._results.ask(write)

    def undo(self) -> None:
        """Bring back what was there before the chosen correction."""
        item, layer = self.list.currentItem(), self.result_layer()
        if item is None or layer is None:
            return
        chosen: Correction = item.data(Qt.ItemDataRole.UserRole)
        path, levels = self._output(layer), layer.metadata[MARK]["levels"]

        def work() -> Callable[[], None]:
            undo_correction(ResultStore.open(path, "r+"), chosen)
            levels.finish()
            return lambda: self._undone(layer, chosen)

        self._results.ask(lambda: self._later(work))

    def undo_last(self) -> None:
        """Undo the chosen correction, or the last one that is not undone."""
        rows = [i for i in range(self.list.count()) if not self.list.item(i).data(Qt.ItemDataRole.UserRole).undone]
        if self.list.currentItem() is None and rows:
            self.list.setCurrentRow(rows[0])
        if self.list.currentItem() is None:
            show_info("There is no correction to undo.")
            return
        self.undo()

    def restore(self) -> None:
        """Bring back what is in view from the generation before."""
        found = self._in_view()
        if found is None:
            return
        layer, box = found
        path, levels = self._output(layer), layer.metadata[MARK]["levels"]
        self.restore_button.setEnabled(False)

        def work() -> Callable[[], None]:
            made = restore(path, box)
            levels.finish()
            return lambda: self._restored(layer, made)

        self._results.ask(lambda: self._later(work))

    def _later(self, work: Callable[[], Callable[[], None]]) -> None:
        """Do some work on this thread, then what it returns on that of the widgets."""
        try:
            then = work()
        except (S1OmniError, OSError) as error:
            found = failure(error)
            self._deliver(lambda: self._failed(found))
            return
        self._deliver(then)

    def _tried(self, then: Callable[[], None]) -> None:
        self._later(lambda: then)

    def _deliver(self, work: Callable[[], None]) -> None:
        self._link.controller.deliver(work)

    def _failed(self, found: Any) -> None:
        self.open_button.setEnabled(True)
        self.merge_button.setEnabled(self.crop is not None)
        self.state.setText("")
        show_error(found)

    def _opened(self, layer: Any, box: tuple[slice, ...], pixels: Any) -> None:
        levels = layer.metadata[MARK]["levels"]
        axes = levels.plan.target.axes
        start = [0.0] * layer.ndim
        for a, b in zip(axes, box, strict=True):
            if a in levels.show.axes:
                start[levels.show.axes.index(a)] = float(b.start)
        shown = [a for a in levels.show.axes if a in axes]
        data = pixels.transpose([axes.index(a) for a in shown])
        data = data.reshape(
            [1 if n else data.shape[shown.index(a)] for a, n in zip(levels.show.axes, levels.show.sizes, strict=True)]
        )
        offset = np.array(layer.data_to_world(start))
        if not np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1)):
            offset = np.array(layer.affine.inverse(offset))
        self.crop = self._link.add(
            # A copy: what is painted is compared with what was read.
            np.array(data, order="C"),
            "labels",
            name=f"{CROP} of {layer.name}",
            scale=layer.scale,
            translate=offset,
            rotate=layer.rotate,
            shear=layer.shear,
            affine=layer.affine,
            units=layer.units,
            axis_labels=layer.axis_labels,
            metadata={MARK: {CROP: str(self._output(layer))}},
        )
        self._before, self._box, self._source = pixels, box, layer
        layer.visible = False
        self._link.viewer.layers.selection.active = self.crop
        self.crop.selected_label = self._next_label(layer)
        self.crop.mode = "paint"
        self.open_button.setEnabled(True)
        self.merge_button.setEnabled(True)
        size = " x ".join(str(b.stop - b.start) for b in box)
        self.state.setText(f"Painting in {size} px. New objects begin at label {self.crop.selected_label:,}.")

    def _merged(self, layer: Any, crop: Any, made: Correction | None) -> None:
        layers = self._link.viewer.layers
        if made is None:
            self.merge_button.setEnabled(True)
            self.state.setText("Nothing was changed.")
            return
        self._link.remove(crop)
        self.crop = None
        if layer in layers:
            layer.visible = True
            layer.refresh()
            layers.selection.active = layer
        self.state.setText("")
        blocks = f"{len(made.blocks):,} block{'s' if len(made.blocks) != 1 else ''}"
        show_info(f"{made.changed:,} px merged back into {blocks}.")
        self._list()

    def _restored(self, layer: Any, made: Correction | None) -> None:
        layer.refresh()
        show_info(f"{made.changed:,} px are as they were." if made else "Nothing differs here.")
        self._list()

    def _undone(self, layer: Any, chosen: Correction) -> None:
        layer.refresh()
        show_info(f"Correction {chosen.number} is undone.")
        self._list()

    def _box_in_view(self, layer: Any) -> tuple[slice, ...]:
        levels = layer.metadata[MARK]["levels"]
        corners = np.array(layer.corner_pixels, float)
        if layer.multiscale:
            corners = corners * layer.downsample_factors[layer.data_level]
        viewer = self._link.viewer
        missing = viewer.dims.ndim - layer.ndim
        shown = [d - missing for d in viewer.dims.displayed if d >= missing]
        point = layer.world_to_data(np.array(viewer.dims.point, float)[-layer.ndim :])
        found = {}
        for i, axis in enumerate(levels.show.axes):
            n = layer.data[0].shape[i] if layer.multiscale else layer.data.shape[i]
            low, high = (int(corners[0][i]), int(np.ceil(corners[1][i])) + 1) if i in shown else (0, 0)
            if i not in shown:
                low = round(float(point[i]))
                high = low + 1
            low, high = max(0, low), min(n, high)
            if high <= low:
                raise JobError("nothing of the labels is in view", "a view of them", "move to them")
            if high - low > _LARGEST:
                raise JobError(
                    f"{high - low:,} px along {axis} are in view",
                    f"at most {_LARGEST:,} px",
                    "zoom in, then open a crop",
                )
            found[axis] = slice(low, high)
        return tuple(found.get(a, slice(0, 1)) for a in levels.plan.target.axes)

    def _next_label(self, layer: Any) -> int:
        """First id that no object of the result has."""
        known = layer.metadata[MARK].get("objects") or 0
        return max(int(known), int(np.max(self._before, initial=0))) + 1

    def _activated(self, event: Any = None) -> None:
        self._list()

    def _list(self) -> None:
        layer = self.result_layer()
        if layer is None:
            self.list.clear()
            return
        path = self._output(layer)

        def work() -> Callable[[], None]:
            store = ResultStore.open(path) if (path / "zarr.json").is_file() else None
            found = list_corrections(store) if store is not None else []
            objects = (store.attributes.get("summary") or {}).get("objects") if store is not None else None
            kept = has_snapshot(path)
            return lambda: self._show(layer, found, objects, kept)

        self._results.ask(lambda: self._later(work))

    def _show(self, layer: Any, found: list[Correction], objects: int | None, kept: bool) -> None:
        self.restore_button.setEnabled(kept)
        layer.metadata[MARK]["objects"] = objects
        self.list.clear()
        for one in reversed(found):
            when = time.strftime("%d %b %H:%M", time.localtime(one.when))
            state = ", undone" if one.undone else ""
            item = QListWidgetItem(f"{one.number}: {one.changed:,} px, {when}{state}")
            item.setData(Qt.ItemDataRole.UserRole, one)
            self.list.addItem(item)

    def _output(self, layer: Any) -> Any:
        found = layer.metadata.get(MARK, {}).get("output")
        return Path(found) if found else None
