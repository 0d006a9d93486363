"""The states of a run, and which one may follow which."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """The state of a run, stored by its value in the status file.

    ::

        starting ---> running ---> joining ---> pyramid ---> complete
           ^             |                         ^            |
           |             +-------- (images) -------+            |
           |                                                    |
           |     these four <---> paused                        |
           |     these five ----> failed, cancelled, stopped    |
           |                                 |                  |
           +--------- resume, redo ----------+------------------+

    Any ended run may also become ``failed``, when the error of its process becomes known, or ``cancelled``, when
    it waits to be resumed.
    """

    STARTING = "starting"
    """Reads the source and loads the model, or waits for its turn."""
    RUNNING = "running"
    """Generates blocks."""
    PAUSED = "paused"
    """Waits until it is continued."""
    JOINING = "joining"
    """Joins labels across blocks."""
    PYRAMID = "pyramid"
    """Writes the coarse levels of the pyramid."""
    COMPLETE = "complete"
    """Everything is written."""
    FAILED = "failed"
    """Ended with an error."""
    CANCELLED = "cancelled"
    """Ended on request."""
    STOPPED = "stopped"
    """Its process is gone without a word; the state is inferred, never stored."""

    @property
    def alive(self) -> bool:
        """Whether a process works on the output."""
        return self not in _ENDED

    @property
    def resumable(self) -> bool:
        """Whether running the job again continues where it ended."""
        return self in _ENDED and self is not RunState.COMPLETE

    @property
    def phrase(self) -> str:
        """The state in words, for progress displays."""
        return {RunState.JOINING: "joining labels", RunState.PYRAMID: "writing the pyramid"}.get(self, self.value)


_ENDED = frozenset({RunState.COMPLETE, RunState.FAILED, RunState.CANCELLED, RunState.STOPPED})
_BROKEN_OFF = _ENDED - {RunState.COMPLETE}
_STEPS = frozenset({RunState.STARTING, RunState.RUNNING, RunState.JOINING, RunState.PYRAMID})

TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.STARTING: _BROKEN_OFF | {RunState.RUNNING, RunState.PAUSED},
    RunState.RUNNING: _BROKEN_OFF | {RunState.JOINING, RunState.PYRAMID, RunState.PAUSED},
    RunState.JOINING: _BROKEN_OFF | {RunState.PYRAMID, RunState.PAUSED},
    RunState.PYRAMID: _BROKEN_OFF | {RunState.COMPLETE, RunState.PAUSED},
    RunState.PAUSED: _BROKEN_OFF | _STEPS,
    **dict.fromkeys(_ENDED, frozenset({RunState.STARTING, RunState.FAILED, RunState.CANCELLED})),
}
"""State -> states that may follow it."""


def check_transition(old: RunState, new: RunState) -> None:
    """Raise ValueError unless `new` may follow `old`; a state may always follow itself."""
    if new is not old and new not in TRANSITIONS[old]:
        raise ValueError(f"a run that is {old} cannot become {new}")
