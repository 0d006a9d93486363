"""One run in the list of runs."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout

from napari_s1omni.core.units import format_duration
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.dock.widgets.parts import BAR, copy_button
from napari_s1omni.frontends.session.results.finished import describe_finished
from napari_s1omni.frontends.session.run import Run

RunAction = Literal["pause", "resume", "cancel", "show", "why", "forget"]
"""What the buttons of a run do."""

_STATES = {
    **{state: state.phrase for state in RunState},
    RunState.CANCELLED: "cancelled, can be resumed",
    RunState.STOPPED: "stopped, can be resumed",
}
_COLOURS = {
    RunState.COMPLETE: "#009e73",
    RunState.FAILED: "#d55e00",
    RunState.PAUSED: "#e69f00",
    RunState.CANCELLED: "#e69f00",
    RunState.STOPPED: "#e69f00",
}


_ACTIONS: dict[RunAction, tuple[str, str]] = {
    "pause": ("Pause", "Pause after the current tile"),
    "resume": ("Resume", "Continue where it stopped"),
    "cancel": ("Cancel", "Stop after the current tile; finished blocks are kept"),
    "show": ("Show", "Add its layer to the viewer"),
    "why": ("Why", "Colour its tiles and read their thoughts"),
    "forget": ("Remove…", "Remove it from this list, or delete its folder"),
}
"""Action -> label and tooltip of its button."""


class RunRow(QFrame):
    """One run, with its progress and its buttons.

    Parameters
    ----------
    run : Run
    on_action : callable
        Called with the run and the action of a button.
    on_copy : callable
        Called with ``yaml``, ``python`` or ``command``, and the run.
    """

    def __init__(
        self, run: Run, on_action: Callable[[Run, RunAction], None], on_copy: Callable[[str, Run], None]
    ) -> None:
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
        self.buttons: dict[RunAction, QPushButton] = {}
        for key, (text, tip) in _ACTIONS.items():
            push_button = QPushButton(text)
            push_button.setToolTip(tip)
            push_button.clicked.connect(lambda _, key=key: on_action(self.run, key))
            self.buttons[key] = push_button
            buttons.addWidget(push_button)
        buttons.addWidget(copy_button(lambda kind: on_copy(kind, self.run), "Copy the job of this run"))
        buttons.addStretch()
        column.addLayout(buttons)
        self.refresh()

    def refresh(self, run: Run | None = None) -> None:
        """Show the current status."""
        status = self.run.status
        waiting = self.run.queued
        self.bar.setRange(0, max(1, status.tiles_total))
        self.bar.setValue(status.tiles_total if status.state is RunState.COMPLETE else status.tiles_done)
        complete = status.state is RunState.COMPLETE and not waiting
        words = [_waiting(self.run) if waiting else self.run.asked or _STATES[status.state]]
        if complete:
            words = [f"{describe_finished(self.run.job, status)}, saved in {self.run.path.name}"]
        if status.last_heard:
            words.append(status.last_heard)
        if status.tiles_total and not waiting and not complete:
            words.append(f"{status.tiles_done:,} of {status.tiles_total:,} tiles")
        if status.eta is not None:
            words.append(f"{format_duration(status.eta)} left")
        if status.holes:
            words.append(f"{status.holes} tiles missing")
        text = " · ".join(words)
        if status.error is not None:
            text += f"<br>{status.error.words}"
        colour = _COLOURS.get(status.state, "#56b4e9")
        self.state.setText(f"<span style='color:{colour}'>●</span> {text}")
        working = status.alive and not waiting
        self.buttons["pause"].setVisible(working and status.state is not RunState.PAUSED)
        self.buttons["resume"].setVisible((working and status.state is RunState.PAUSED) or self.run.resumable)
        self.buttons["cancel"].setVisible(self.run.alive)
        self.buttons["why"].setVisible(not waiting)
        self.buttons["forget"].setVisible(not self.run.alive)


def _waiting(run: Run) -> str:
    """Say what a run waits for, and what would let it begin."""
    ahead = run.behind
    if ahead is None:
        return "waiting for its turn"
    words = f"waiting for '{html.escape(ahead.title)}': runs on this machine work one after the other"
    return f"{words}. That one is paused: resume or cancel it" if ahead.status.state is RunState.PAUSED else words
