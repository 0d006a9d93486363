"""Retries after transient errors of a network or a disk."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from napari_s1omni.errors import SourceError, StoreError

Value = TypeVar("Value")

_PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
"""System errors that do not go away by waiting."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often something is tried again, and after which delays."""

    delays: tuple[float, ...] = (1.0, 4.0, 16.0)
    """Seconds before each further try; varied by a tenth, so that workers do not all try at the same time."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for a number of seconds."""

    def __call__(self, attempt: Callable[[], Value]) -> Value:
        """Return the value of `attempt`, trying again after transient errors.

        Raises
        ------
        Exception
            The error of the last attempt; a permanent error is raised at once.
        """
        for delay in self.delays:
            try:
                return attempt()
            except (OSError, SourceError, StoreError) as error:
                if not is_transient(error):
                    raise
            self.sleep(delay * random.uniform(0.9, 1.1))
        return attempt()


def is_transient(error: Exception) -> bool:
    """Whether an error may go away by waiting: timeouts, lost connections, I/O errors."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and not isinstance(cause, _PERMANENT)
