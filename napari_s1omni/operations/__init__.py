"""The operations on a layer: segmentation, super-resolution, modality translation."""

from __future__ import annotations

from napari_s1omni.operations.modality_translation import ModalityTranslation
from napari_s1omni.operations.operation import Operation
from napari_s1omni.operations.segmentation import Segmentation
from napari_s1omni.operations.super_resolution import SuperResolution
from napari_s1omni.operations.table import OPERATIONS, AnyOperation, OperationType

__all__ = [
    "OPERATIONS",
    "AnyOperation",
    "ModalityTranslation",
    "Operation",
    "OperationType",
    "Segmentation",
    "SuperResolution",
]
