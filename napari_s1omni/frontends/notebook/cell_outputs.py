"""Outputs: the cells in which a job is shown, written anew when it ends, so that a saved notebook tells how."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any


class CellOutputs:
    """Outputs of cells that all show one thing.

    Parameters
    ----------
    bundle : callable
        Returns what is shown: MIME type -> data.
    """

    def __init__(self, bundle: Callable[[], Mapping[str, Any]]) -> None:
        self._bundle = bundle
        self._shown: list[str] = []
        self._told: dict[str, Any] = {}

    def add(self) -> None:
        """Show it in the cell that is being run."""
        from IPython.display import display

        self._shown.append(uuid.uuid4().hex)
        display(dict(self._bundle()), raw=True, display_id=self._shown[-1])

    def renew(self) -> None:
        """Show in every cell how it is now, if that is news; live views stay the same ones."""
        if not self._shown:
            return
        now = dict(self._bundle())
        if now == self._told:
            return
        from IPython.display import update_display

        self._told = now
        for one in self._shown:
            update_display(now, raw=True, display_id=one)
