"""The settings of this plugin in napari's preferences, read when the dock opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from napari_s1omni.frontends.napari_layers.open_dock import PLUGIN
from napari_s1omni.settings import use_cache_folder


@dataclass(frozen=True, slots=True)
class Preferences:
    """The settings that the plugin manifest declares."""

    engine: str = "auto"
    """Engine that is chosen first."""
    interpreter: str | None = None
    """Interpreter that holds the engines; None is this one."""
    scheduler: str | None = None
    """Address of a Dask scheduler; None runs on this machine."""

    @classmethod
    def read(cls) -> Self:
        """Read the preferences; the cache folder is set through its environment variable."""
        from napari.settings import get_plugin_settings

        settings = get_plugin_settings().get(PLUGIN)
        if settings is None:
            return cls()
        engines = settings.engines
        if engines.cache_folder:
            use_cache_folder(engines.cache_folder)
        return cls(engines.engine or "auto", engines.interpreter or None, engines.scheduler or None)
