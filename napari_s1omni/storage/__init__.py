"""Images on disk: opening, measuring and reading sources; writing durable OME-Zarr results.

Names are attached when first used, so that importing this package opens no Zarr.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_s1omni.storage.normalization_estimate import measure
    from napari_s1omni.storage.source import Source, open_source

_HOME = {
    "Source": "source",
    "measure": "measuring",
    "open_source": "source",
}

__all__ = ["Source", "measure", "open_source"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
