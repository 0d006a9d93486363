"""Cell outputs that are updated when a job ends, so that a saved notebook shows its final state."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any


class CellOutputs:
    """Outputs of several cells that show the same object.

    Parameters
    ----------
    make_bundle : callable
        Returns the MIME bundle to show: MIME type -> data.
    """

    def __init__(self, make_bundle: Callable[[], Mapping[str, Any]]) -> None:
        self._make_bundle = make_bundle
        self._display_ids: list[str] = []
        self._last: dict[str, Any] = {}

    def add(self) -> None:
        """Show the object in the cell that is running."""
        from IPython.display import display

        self._display_ids.append(uuid.uuid4().hex)
        display(dict(self._make_bundle()), raw=True, display_id=self._display_ids[-1])

    def update(self) -> None:
        """Update all cells if the bundle has changed; live views stay the same ones."""
        if not self._display_ids:
            return
        bundle = dict(self._make_bundle())
        if bundle == self._last:
            return
        from IPython.display import update_display

        self._last = bundle
        for display_id in self._display_ids:
            update_display(bundle, raw=True, display_id=display_id)
