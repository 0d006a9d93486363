"""Loaded engines that several runs share."""

from __future__ import annotations

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine


class EngineCache:
    """Engines by name, each loaded once and kept for all images of a batch.

    A context manager; it closes the engines at its end.
    """

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def get(self, name: str) -> Engine:
        """Return a loaded engine whose ``close`` does nothing, since other runs still need it."""
        if name not in self._engines:
            self._engines[name] = create_engine(name)
        return SharedEngine(self._engines[name])

    def __enter__(self) -> EngineCache:
        return self

    def __exit__(self, *exc: object) -> None:
        for engine in self._engines.values():
            engine.close()


class SharedEngine:
    """An engine that stays open when one of its users closes it."""

    def __init__(self, engine: Engine) -> None:
        self.description = engine.description
        self.think = engine.think
        self.generate = engine.generate

    def close(self) -> None:
        """Do nothing."""
