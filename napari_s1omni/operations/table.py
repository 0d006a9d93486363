"""The operations: one row each, with the names under which every surface offers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from napari_s1omni.operations.modality_translation import ModalityTranslation
from napari_s1omni.operations.operation import Operation
from napari_s1omni.operations.segmentation import Segmentation
from napari_s1omni.operations.super_resolution import SuperResolution

OperationType = Literal["segmentation", "super_resolution", "modality_translation"]
"""Value of the field ``type`` of an operation."""

AnyOperation = Annotated[Segmentation | SuperResolution | ModalityTranslation, Field(discriminator="type")]
"""Any of the operations; the field ``type`` says which."""


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """One operation and its names."""

    model: type[Operation]
    """The document with its fields."""
    verb: str
    """Function of the Python API."""
    command: str
    """Command of ``s1omni``."""
    title: str
    """Name of its page in a form."""
    result: str
    """Word for its result in the name of a layer or store."""


OPERATIONS: dict[OperationType, OperationEntry] = {
    "segmentation": OperationEntry(Segmentation, "segment", "segment", "Segment", "labels"),
    "super_resolution": OperationEntry(SuperResolution, "super_resolve", "superres", "Super-resolve", "super-resolved"),
    "modality_translation": OperationEntry(ModalityTranslation, "translate", "translate", "Translate", "translated"),
}
"""Operation type -> entry."""
