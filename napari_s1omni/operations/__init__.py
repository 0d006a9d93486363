"""What to make of a layer: segmentation, super-resolution, modality translation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_s1omni.engine.description import Encoding
from napari_s1omni.operations.modality_translation import ModalityTranslation
from napari_s1omni.operations.operation import Edges, FinishedBlock, Operation
from napari_s1omni.operations.segmentation import Segmentation
from napari_s1omni.operations.super_resolution import SuperResolution

AnyOperation = Annotated[Segmentation | SuperResolution | ModalityTranslation, Field(discriminator="type")]
"""Any of the three, told apart by their field ``type``."""

__all__ = [
    "AnyOperation",
    "Edges",
    "Encoding",
    "Finished",
    "ModalityTranslation",
    "Operation",
    "Segmentation",
    "SuperResolution",
]
