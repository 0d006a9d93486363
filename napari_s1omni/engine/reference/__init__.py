"""The reference engine: classical image analysis that needs no weights."""

from __future__ import annotations

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.reference.description import describe

__all__ = ["describe", "load"]


def load(name: str = "reference") -> Engine:
    """Return the engine; `name` is there because every engine's ``load`` takes one."""
    from napari_s1omni.engine.reference.engine import ReferenceEngine

    return ReferenceEngine()
