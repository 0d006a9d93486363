"""Cell outputs that are updated when a job ends, so that a saved notebook shows its final state."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any


class CellOutputs:
    """Outputs of several cells that show the same object: a still picture, and below it a live view.

    The still is an output of its own, because a page without a kernel would prefer the live view and show nothing. A
    live view hides it.

    Parameters
    ----------
    make_still : callable
        Returns the MIME bundle of the still: MIME type -> data.
    """

    def __init__(self, make_still: Callable[[], Mapping[str, Any]]) -> None:
        self._make_still = make_still
        self._display_ids: list[str] = []
        self._last: dict[str, Any] = {}

    def add(self, live: Mapping[str, Any]) -> None:
        """Show the object in the cell that is running; `live` is the MIME bundle of the live view, or empty."""
        from IPython.display import display

        self._display_ids.append(uuid.uuid4().hex)
        display(dict(self._make_still()), raw=True, display_id=self._display_ids[-1])
        if live:
            display(dict(live), raw=True)

    def update(self) -> None:
        """Update the stills of all cells if they have changed."""
        if not self._display_ids:
            return
        still = dict(self._make_still())
        if still == self._last:
            return
        from IPython.display import update_display

        self._last = still
        for display_id in self._display_ids:
            update_display(still, raw=True, display_id=display_id)
