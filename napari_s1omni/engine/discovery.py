"""Discovery of engines: the built-in ones, and those that other packages register as entry points."""

from __future__ import annotations

import functools
import importlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.familiarity.bank import Familiarity, ImageSample
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.errors import EngineUnavailable, S1OmniError

GROUP = "napari_s1omni.engines"
"""Entry-point group: engine name -> module with ``describe(name)`` and ``load(name, **settings)``."""

BUILT_IN: Mapping[str, str] = {
    "reference": "napari_s1omni.engine.reference",
    "nano": "napari_s1omni.engine.s1omni",
    "s1-omni-image": "napari_s1omni.engine.s1omni",
}
"""Engines of this package: name -> module. They are listed here and not as entry points, so that a source tree that is
on the path without being installed has them too; everything else about them is as for an engine of another package."""

_RESERVED = (*BUILT_IN, "auto")


@dataclass(frozen=True, slots=True)
class EngineSource:
    """The module that provides an engine. Nothing is imported before :meth:`describe` or :meth:`load` is called."""

    name: str
    """Name of the engine."""
    module: str
    """Dotted name of the module."""
    package: str = ""
    """Name and version of the package that registers it; empty for a built-in engine."""
    conflict: str = ""
    """Why the name cannot be used, as the first part of an error; empty if it can."""

    def describe(self, name: str) -> EngineDescription:
        """Return the description of the engine.

        Parameters
        ----------
        name : str
            Name of the engine, or the folder of weights it opens.

        Raises
        ------
        EngineUnavailable
            If the module is missing or broken, or returns something other than the description of this engine.
        """
        described = self._call("describe", name)
        if not isinstance(described, EngineDescription):
            raise self._broken(f"describe() returned {type(described).__name__}, not EngineDescription")
        if name == self.name != described.name:
            raise self._broken(f"describe() returned the description of an engine named '{described.name}'")
        return described

    def load(self, name: str, **settings: Any) -> Engine:
        """Load the engine; parameters and errors as for :meth:`describe`."""
        engine = self._call("load", name, **settings)
        if not isinstance(engine, Engine):
            raise self._broken(f"load() returned {type(engine).__name__}, which lacks think, generate or close")
        return engine

    def merit(self, name: str, operation: str) -> tuple[bool, str]:
        """Return whether ``auto`` may prefer this engine for an operation, and why; yes if its module does not say."""
        if not hasattr(self._import(), "merit"):
            return True, ""
        proven, reason = self._call("merit", name, operation)
        return bool(proven), str(reason)

    def familiarity(self, name: str, operation: str, image: ImageSample) -> Familiarity | None:
        """Return how like the images that this engine was trained on an image is; None if its module does not say."""
        if not hasattr(self._import(), "familiarity"):
            return None
        found = self._call("familiarity", name, operation, image)
        if not isinstance(found, Familiarity | None):
            raise self._broken(f"familiarity() returned {type(found).__name__}, not Familiarity or None")
        return found

    def _call(self, function: str, *args: Any, **settings: Any) -> Any:
        module = self._import()
        if not callable(getattr(module, function, None)):
            raise self._broken(f"module '{self.module}' has no function {function}()")
        try:
            return getattr(module, function)(*args, **settings)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error
        except (S1OmniError, MemoryError):
            raise
        except Exception as error:
            raise self._broken(f"{function}() failed with {type(error).__name__}: {error}") from error

    def _import(self) -> Any:
        if self.conflict:
            raise EngineUnavailable(
                self.conflict,
                "every engine needs a name of its own",
                "uninstall or rename one of them",
                engine=self.name,
            )
        try:
            return importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error
        except Exception as error:
            raise self._broken(f"module '{self.module}' failed with {type(error).__name__}: {error}") from error

    def _missing(self, error: ModuleNotFoundError) -> EngineUnavailable:
        extra = f"reinstall {self.package}" if self.package else "install it with: pip install 'napari_s1omni[models]'"
        return EngineUnavailable(
            f"engine '{self.name}'{self._from} needs the module '{error.name}', which is not installed",
            remedy=extra,
            engine=self.name,
            module=error.name,
        )

    def _broken(self, given: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"engine '{self.name}'{self._from} is broken: {given}",
            remedy=f"update or uninstall {self.package}" if self.package else "report this as a bug",
            engine=self.name,
        )

    @property
    def _from(self) -> str:
        return f" of {self.package}" if self.package else ""


@functools.cache
def sources() -> Mapping[str, EngineSource]:
    """Return the source of every engine by name, built-in ones first.

    A name that cannot be used has a source with a :attr:`~EngineSource.conflict`: one taken by several packages, and,
    as ``NAME (PACKAGE)``, one that another package took from a built-in engine, which itself keeps working.
    """
    found = {name: EngineSource(name, module) for name, module in BUILT_IN.items()}
    registered: dict[str, dict[tuple[str, str], EngineSource]] = defaultdict(dict)
    for point in metadata.entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
        # A package that is on the path twice is seen twice.
        registered[point.name].setdefault((package, point.value), EngineSource(point.name, point.value, package))
    for name, candidates in sorted(registered.items()):
        packages = sorted({source.package for source in candidates.values()})
        if name in _RESERVED:
            for package in packages:
                clash = f"{package} registers an engine named '{name}', a name of napari_s1omni itself"
                found[f"{name} ({package})"] = EngineSource(name, "", package, clash)
        elif len(candidates) > 1:
            clash = f"engine '{name}' is registered by {' and by '.join(packages)}"
            found[name] = EngineSource(name, "", ", ".join(packages), clash)
        else:
            (found[name],) = candidates.values()
    return found
