"""Patience: trying again what a network or a disk refused for a moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from napari_s1omni.errors import SourceError, StoreError

Value = TypeVar("Value")

_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
"""Errors of the system that waiting does not mend."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after how long, something is tried again."""

    waits: tuple[float, ...] = (1.0, 4.0, 16.0)
    """Seconds before each further try; a tenth more or less, so that workers do not knock all at once."""
    sleep: Callable[[float], None] = time.sleep
    """How to wait."""

    def __call__(self, attempt: Callable[[], Value]) -> Value:
        """Return what `attempt` returns, trying again after transient errors.

        Raises
        ------
        Exception
            Whatever `attempt` raised last, at once if waiting does not mend it.
        """
        for wait in self.waits:
            try:
                return attempt()
            except (OSError, SourceError, StoreError) as error:
                if not is_transient(error):
                    raise
            self.sleep(wait * random.uniform(0.9, 1.1))
        return attempt()


def is_transient(error: Exception) -> bool:
    """Whether an error comes from a system that may answer later: timeouts, lost connections, I/O errors."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and not isinstance(cause, _LASTING)
