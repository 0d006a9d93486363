"""Preferences: what napari keeps for this plugin, read once when the dock opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from napari_s1omni.settings import use_cache_folder

PLUGIN = "napari_s1omni"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The typed settings of the manifest."""

    engine: str = "auto"
    """Engine to begin with."""
    interpreter: str | None = None
    """Python that runs engines; None is this one."""
    scheduler: str | None = None
    """Address of a Dask scheduler; None runs on this machine."""

    @classmethod
    def read(cls) -> Self:
        """Read what the preferences say; the cache folder is handed on by its environment variable."""
        from napari.settings import get_plugin_settings

        found = get_plugin_settings().get(PLUGIN)
        if found is None:
            return cls()
        engines = found.engines
        if engines.cache_folder:
            use_cache_folder(engines.cache_folder)
        return cls(engines.engine or "auto", engines.interpreter or None, engines.scheduler or None)
