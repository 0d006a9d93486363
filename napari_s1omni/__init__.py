"""Think-before-generate image operations on layers of any size.

:func:`segment`, :func:`super_resolve` and :func:`translate` run an operation on
an image or array and return a :class:`Result`; with ``block=False`` they return
a :class:`RunningJob` at once, which a notebook shows live and :func:`attach`
finds again. :class:`Job`, :func:`prepare` and :func:`run` do the same in steps;
:func:`redo`, :func:`accept` and :func:`drop` change single tiles of a result.
:func:`list_images`, :func:`open_source`, :func:`open_region` and :func:`layer_source`
find and open what a job works on. :func:`ask` answers a question about an image
and returns an :class:`Answer`; :func:`replay` runs its code again.

Names are imported when first used: importing this package loads no torch, Qt,
napari or dask.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_s1omni.api import attach, layer_source, open_region, segment, super_resolve, translate
    from napari_s1omni.asking.answer import Answer
    from napari_s1omni.asking.ask import ask, replay
    from napari_s1omni.core.sampling import Sampling
    from napari_s1omni.core.spec import LayerSpec
    from napari_s1omni.core.tiling import Tiling
    from napari_s1omni.frontends.notebook.running_job import RunningJob
    from napari_s1omni.jobs.prepare import prepare
    from napari_s1omni.jobs.redo import accept, drop, redo
    from napari_s1omni.jobs.run import run
    from napari_s1omni.operations import ModalityTranslation, Segmentation, SuperResolution
    from napari_s1omni.operations.pixel_size import length_in_px, object_size
    from napari_s1omni.planning.job import Job
    from napari_s1omni.planning.plan import Plan
    from napari_s1omni.results.result import Result
    from napari_s1omni.storage.listing.image_headers import list_images
    from napari_s1omni.storage.source import Source, open_source

__version__ = "0.1.0"

_MODULES = {
    "Answer": "asking.answer",
    "Job": "planning.job",
    "LayerSpec": "core.spec",
    "ModalityTranslation": "operations",
    "Plan": "planning.plan",
    "Result": "results.result",
    "RunningJob": "frontends.notebook.running_job",
    "Sampling": "core.sampling",
    "Segmentation": "operations",
    "Source": "storage.source",
    "SuperResolution": "operations",
    "Tiling": "core.tiling",
    "accept": "jobs.redo",
    "ask": "asking.ask",
    "attach": "api",
    "drop": "jobs.redo",
    "layer_source": "api",
    "length_in_px": "operations.pixel_size",
    "list_images": "storage.listing.image_headers",
    "object_size": "operations.pixel_size",
    "open_region": "api",
    "open_source": "storage.source",
    "prepare": "jobs.prepare",
    "redo": "jobs.redo",
    "replay": "asking.ask",
    "run": "jobs.run",
    "segment": "api",
    "super_resolve": "api",
    "translate": "api",
}
"""Public name -> module that defines it."""

__all__ = [
    "Answer",
    "Job",
    "LayerSpec",
    "ModalityTranslation",
    "Plan",
    "Result",
    "RunningJob",
    "Sampling",
    "Segmentation",
    "Source",
    "SuperResolution",
    "Tiling",
    "accept",
    "ask",
    "attach",
    "drop",
    "layer_source",
    "length_in_px",
    "list_images",
    "object_size",
    "open_region",
    "open_source",
    "prepare",
    "redo",
    "replay",
    "run",
    "segment",
    "super_resolve",
    "translate",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
