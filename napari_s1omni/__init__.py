"""Think-before-generate image operations on layers of any size.

``segment``, ``super_resolve`` and ``translate`` run an operation on an image or
array and return a :class:`Result`; ``Job``, ``prepare`` and ``run`` are the
same in steps. With ``block=False`` a verb returns a :class:`RunningJob` at once,
which a notebook shows live; ``attach`` finds it again. Names are attached when first used: importing this package loads
no torch, Qt, napari or dask.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_s1omni.api import attach, segment, super_resolve, translate
    from napari_s1omni.core.sampling import Sampling
    from napari_s1omni.core.tiling import Tiling
    from napari_s1omni.frontends.notebook.running_job import RunningJob
    from napari_s1omni.jobs.run import prepare, run
    from napari_s1omni.operations import ModalityTranslation, Segmentation, SuperResolution
    from napari_s1omni.planning.job import Job
    from napari_s1omni.planning.plan import Plan
    from napari_s1omni.results.result import Result

__version__ = "0.1.0"

_HOME = {
    "Job": "planning.job",
    "ModalityTranslation": "operations",
    "Plan": "planning.plan",
    "Result": "results.result",
    "RunningJob": "frontends.notebook.running_job",
    "Sampling": "core.sampling",
    "Segmentation": "operations",
    "SuperResolution": "operations",
    "Tiling": "core.tiling",
    "attach": "api",
    "prepare": "jobs.run",
    "run": "jobs.run",
    "segment": "api",
    "super_resolve": "api",
    "translate": "api",
}

__all__ = [
    "Job",
    "ModalityTranslation",
    "Plan",
    "Result",
    "RunningJob",
    "Sampling",
    "Segmentation",
    "SuperResolution",
    "Tiling",
    "attach",
    "prepare",
    "run",
    "segment",
    "super_resolve",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
