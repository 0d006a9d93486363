"""Asks which images of a file are opened, with a small picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import napari
from napari.layers import Layer
from PIL.Image import Image
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListView,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_s1omni.core.paths import join_reference, name_in
from napari_s1omni.frontends.dock.main_thread import MainThread
from napari_s1omni.frontends.dock.notifications import errors_shown
from napari_s1omni.frontends.napari_layers.source_layers import file_layers
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.views.thumbnail import EDGE, thumbnail
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.image_files import choose_number

_MOST_PICTURES = 300
"""Images that get a picture; of a file with more, the others have their names only."""


def open_images(path: str = "", headers: Sequence[ImageHeader] = (), one: bool = False) -> list[str]:
    """Ask which images of a file are opened; without a file, open one that is chosen in the viewer.

    The reader of this plugin calls it by its name in the manifest, and so does the menu.
    """
    if path:
        return choose_images(path, headers, one)
    viewer = napari.current_viewer()
    file = QFileDialog.getOpenFileName(None, "Image file")[0]
    if file and viewer is not None:
        # Not by viewer.open(), which knows the endings of the manifest only.
        with errors_shown():
            for data, options, kind in file_layers(file):
                viewer.add_layer(Layer.create(data, options, kind))
    return []


def choose_images(path: str, headers: Sequence[ImageHeader], one: bool = False) -> list[str]:
    """Ask which images of a file are opened; none if the dialog is cancelled.

    Parameters
    ----------
    path : str
    headers : sequence of ImageHeader
        The images of the file.
    one : bool
        Whether only one can be chosen.

    Raises
    ------
    SeveralImages
        If there is no window that could ask.
    """
    if QApplication.instance() is None:
        choose_number([header.name for header in headers], None, path)
    dialog = ImageChoice(path, headers, one=one, parent=QApplication.activeWindow())
    try:
        return dialog.chosen() if dialog.exec() else []
    finally:
        dialog.shut()
        dialog.deleteLater()


class ImageChoice(QDialog):
    """The images of a file as pictures with their names.

    Parameters
    ----------
    path : str
    headers : sequence of ImageHeader
    one : bool
        Whether only one can be chosen.
    parent : QWidget, optional
    """

    def __init__(
        self, path: str, headers: Sequence[ImageHeader], *, one: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose an image" if one else "Choose images")
        self._main_thread = MainThread(self)
        self._drawing = BackgroundQueue("thumbnails", self._main_thread.deliver, lambda failure: None)
        self.filter = QLineEdit(placeholderText="Part of a name")
        self.filter.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setIconSize(QSize(EDGE, EDGE))
        self.list.setGridSize(QSize(EDGE + 40, EDGE + 56))
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setWordWrap(True)
        self.list.setUniformItemSizes(True)
        modes = QListWidget.SelectionMode
        self.list.setSelectionMode(modes.SingleSelection if one else modes.ExtendedSelection)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        self.open_button = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        column = QVBoxLayout(self)
        asked = "Which one is it?" if one else "Which of them are opened?"
        column.addWidget(QLabel(f"{name_in(path)} holds {len(headers):,} images. {asked}"))
        for widget in (self.filter, self.list, self.buttons):
            column.addWidget(widget)
        blank = QPixmap(EDGE, EDGE)
        blank.fill(Qt.GlobalColor.transparent)
        for number, header in enumerate(headers):
            item = QListWidgetItem(QIcon(blank), f"{header.name}\n{header.sizes}")
            item.setData(Qt.ItemDataRole.UserRole, header.name)
            item.setToolTip(f"{header.name}\naxes {header.axes}, {' x '.join(map(str, header.shape))}, {header.dtype}")
            self.list.addItem(item)
            if number < _MOST_PICTURES:
                work = partial(thumbnail, join_reference(path, header.name))
                self._drawing.submit(work, partial(self._show, number))
        self.list.setCurrentRow(0)
        self.resize(4 * (EDGE + 48), 3 * (EDGE + 64))
        self.list.itemSelectionChanged.connect(self._on_selection)
        self.list.itemDoubleClicked.connect(lambda item: self.accept())
        self.filter.textChanged.connect(self._on_filter)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._on_selection()

    def chosen(self) -> list[str]:
        """Return the names of the selected images, in the order of the file."""
        rows = sorted(self.list.row(item) for item in self.list.selectedItems() if not item.isHidden())
        return [str(self.list.item(row).data(Qt.ItemDataRole.UserRole)) for row in rows]

    def shut(self) -> None:
        """Draw no more pictures."""
        self._main_thread.close()
        self._drawing.close()

    def _show(self, number: int, picture: Image) -> None:
        rgb = picture.convert("RGB")
        image = QImage(rgb.tobytes(), rgb.width, rgb.height, 3 * rgb.width, QImage.Format.Format_RGB888)
        self.list.item(number).setIcon(QIcon(QPixmap.fromImage(image.copy())))

    def _on_selection(self) -> None:
        self.open_button.setEnabled(bool(self.chosen()))

    def _on_filter(self, text: str) -> None:
        wanted = text.casefold()
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(wanted not in str(item.data(Qt.ItemDataRole.UserRole)).casefold())
        self._on_selection()
