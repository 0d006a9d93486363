"""RunsPage: every run, how far it is, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_s1omni.core.units import format_duration
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.dock.widgets.parts import BAR, copy_button
from napari_s1omni.frontends.session.run import Run

_WORDS = {
    **{state: state.phrase for state in RunState},
    RunState.CANCELLED: "cancelled; it can be resumed",
    RunState.STOPPED: "stopped; it can be resumed",
}
_LIGHT = {
    RunState.COMPLETE: "#009e73",
    RunState.FAILED: "#d55e00",
    RunState.PAUSED: "#e69f00",
    RunState.CANCELLED: "#e69f00",
    RunState.STOPPED: "#e69f00",
}


class RunRow(QFrame):
    """One run.

    Parameters
    ----------
    run : Run
    on_act : callable
        Called with the run and ``pause``, ``resume``, ``cancel``, ``show``, ``why`` or ``forget``.
    on_copy : callable
        Called with ``yaml``, ``python`` or ``command``, and the run.
    """

    def __init__(self, run: Run, on_act: Callable[[Run, str], None], on_copy: Callable[[str, Run], None]) -> None:
        super().__init__()
        self.run = run
        self.setFrameShape(QFrame.Shape.StyledPanel)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(3)
        self.title = QLabel(run.title)
        self.title.setStyleSheet("font-weight: bold;")
        self.title.setWordWrap(True)
        self.title.setToolTip(str(run.path))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setStyleSheet(BAR)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        column.addWidget(self.state)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        self.buttons: dict[str, QPushButton] = {}
        for key, words, tip in (
            ("pause", "Pause", "Wait after the tile in hand"),
            ("resume", "Resume", "Go on where it stopped"),
            ("cancel", "Cancel", "Stop after the tile in hand; what is finished is kept"),
            ("show", "Show", "Add its layer to the viewer"),
            ("why", "Why", "Colour its tiles and read their thoughts"),
            ("forget", "Remove", "Take it off this list; its files stay"),
        ):
            made = QPushButton(words)
            made.setToolTip(tip)
            made.clicked.connect(lambda _, key=key: on_act(self.run, key))
            self.buttons[key] = made
            buttons.addWidget(made)
        buttons.addWidget(copy_button(lambda kind: on_copy(kind, self.run), "Copy the job of this run"))
        buttons.addStretch()
        column.addLayout(buttons)
        self.refresh()

    def refresh(self, run: Run | None = None) -> None:
        """Show how the run is now."""
        status = self.run.status
        waiting = self.run.queued
        self.bar.setRange(0, max(1, status.tiles_total))
        self.bar.setValue(status.tiles_total if status.state is RunState.COMPLETE else status.tiles_done)
        words = ["waiting for its turn" if waiting else _WORDS[status.state]]
        if status.tiles_total and not waiting:
            words.append(f"{status.tiles_done:,} of {status.tiles_total:,} tiles")
        if status.eta is not None:
            words.append(f"{format_duration(status.eta)} left")
        if status.holes:
            words.append(f"{status.holes} tiles missing")
        text = " · ".join(words)
        if status.error is not None:
            text += f"<br>{status.error.words}"
        light = _LIGHT.get(status.state, "#56b4e9")
        self.state.setText(f"<span style='color:{light}'>●</span> {text}")
        going = status.alive and not waiting
        self.buttons["pause"].setVisible(going and status.state is not RunState.PAUSED)
        paused = going and status.state is RunState.PAUSED
        self.buttons["resume"].setVisible(paused or (status.resumable and not waiting))
        self.buttons["cancel"].setVisible(self.run.alive)
        self.buttons["why"].setVisible(not waiting)
        self.buttons["forget"].setVisible(not self.run.alive)


class RunsPage(QScrollArea):
    """The list of runs, newest first.

    Parameters
    ----------
    on_act, on_copy : callable
        See :class:`RunRow`.
    """

    def __init__(self, on_act: Callable[[Run, str], None], on_copy: Callable[[str, Run], None]) -> None:
        super().__init__()
        self._on_act, self._on_copy = on_act, on_copy
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        body = QWidget()
        self._column = QVBoxLayout(body)
        self._column.setContentsMargins(6, 6, 6, 6)
        self._column.setSpacing(6)
        self._empty = QLabel("Nothing runs yet. Press Run on the first page; runs go on when napari is closed.")
        self._empty.setWordWrap(True)
        self._column.addWidget(self._empty)
        self._column.addStretch()
        self.setWidget(body)
        self.rows: dict[Run, RunRow] = {}

    def add(self, run: Run) -> None:
        """Show one more run."""
        made = RunRow(run, self._on_act, self._on_copy)
        self.rows[run] = made
        self._column.insertWidget(0, made)
        self._empty.setVisible(False)
        run.changed.connect(made.refresh)
        run.ended.connect(made.refresh)

    def remove(self, run: Run) -> None:
        """Take a run off the list."""
        made: Any = self.rows.pop(run)
        run.changed.disconnect(made.refresh)
        run.ended.disconnect(made.refresh)
        self._column.removeWidget(made)
        made.deleteLater()
        self._empty.setVisible(not self.rows)
