"""One finished result of an earlier session in the list of results."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_s1omni.frontends.dock.results.elided_label import ElidedLabel
from napari_s1omni.frontends.session.results.finished import THUMBNAIL, FinishedResult


class ResultRow(QFrame):
    """A finished result: thumbnail, request, what was found, when and where, and its buttons.

    Parameters
    ----------
    result : FinishedResult
    on_open, on_remove : callable
        Called with the result.
    """

    def __init__(
        self,
        result: FinishedResult,
        on_open: Callable[[FinishedResult], None],
        on_remove: Callable[[FinishedResult], None],
    ) -> None:
        super().__init__()
        self.result = result
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.picture = QLabel()
        self.picture.setFixedSize(THUMBNAIL, THUMBNAIL)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title = QLabel(result.entry.title)
        title.setStyleSheet("font-weight: bold;")
        title.setWordWrap(True)
        self.words = QLabel(f"{result.words} · {_when(result.ended)}")
        self.words.setWordWrap(True)
        place = ElidedLabel(result.entry.output)
        self.open_button = QPushButton("Open")
        self.open_button.setToolTip("Show the image with this result over it")
        self.open_button.setEnabled(result.job is not None)
        self.open_button.clicked.connect(lambda _: on_open(self.result))
        self.remove_button = QPushButton("Remove…")
        self.remove_button.setToolTip("Remove it from this list, or delete its folder")
        self.remove_button.clicked.connect(lambda _: on_remove(self.result))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.remove_button)
        buttons.addStretch()
        column = QVBoxLayout()
        column.setSpacing(3)
        for widget in (title, self.words, place):
            column.addWidget(widget)
        column.addLayout(buttons)
        across = QHBoxLayout(self)
        across.setContentsMargins(8, 6, 8, 6)
        across.setSpacing(8)
        across.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(column, 1)

    def show_thumbnail(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a picture of the result; None shows nothing."""
        if pixels is None:
            return
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        image = QImage(data.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        # The pixmap has a copy of the pixels.
        self.picture.setPixmap(QPixmap.fromImage(image.copy()))


def _when(seconds: float) -> str:
    """Return a time as ``14:02`` today, else as ``30 Nov, 14:02``, with the year if it is another one."""
    at, now = time.localtime(seconds), time.localtime()
    clock = time.strftime("%H:%M", at)
    if at[:3] == now[:3]:
        return f"today, {clock}"
    day = f"{at.tm_mday} {time.strftime('%b', at)}"
    return f"{day}, {clock}" if at.tm_year == now.tm_year else f"{day} {at.tm_year}, {clock}"
