"""The frames of DICOM files: where each lies, and what its values are multiplied by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_s1omni.core.patient_space import Vector
from napari_s1omni.storage.readers.medical.dicom_instance import Instance, as_number, as_numbers, value_of

_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
    "NominalCardiacTriggerDelayTime": "CardiacSynchronizationSequence",
    "EffectiveEchoTime": "MREchoSequence",
    "DiffusionBValue": "MRDiffusionSequence",
    "InversionTimes": "MRModifierSequence",
}
"""Tag of a frame -> the functional group that holds it."""
CHANNEL_KEYS = {
    "echo": ("EchoTime", "EffectiveEchoTime", "EchoNumbers"),
    "b": ("DiffusionBValue",),
    "direction": ("DiffusionGradientOrientation",),
    "inversion": ("InversionTime", "InversionTimes"),
    "flip angle": ("FlipAngle",),
    "kV": ("KVP",),
    "type": ("ImageType", "FrameType"),
}
"""What makes frames of one place different channels -> its tags."""
TIME_KEYS = (
    *("TemporalPositionIndex", "TemporalPositionIdentifier", "TimeSlotVector", "NominalCardiacTriggerDelayTime"),
    *("TriggerTime", "FrameReferenceTime", "AcquisitionNumber", "FrameAcquisitionDateTime", "AcquisitionDateTime"),
    *("AcquisitionTime", "ContentTime"),
)
"""What makes frames of one place different time points, most telling first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a file."""

    instance: Instance
    index: int
    """Its number in the file, from 0."""
    position: Vector | None
    """Centre of its first pixel, in millimetres towards left, back and head."""
    orientation: tuple[float, ...] | None
    """Direction of a row, then of a column, 3 numbers each."""
    spacing: tuple[float, ...] | None
    """Millimetres between rows, and between columns."""
    depth: float | None
    """Distance of slices, or thickness, in millimetres."""
    slope: float
    intercept: float
    values: Mapping[str, Any]
    """What can make it another channel or time point than a frame at the same place."""

    @property
    def order(self) -> tuple[float, str, int]:
        """Its place among frames that nothing else distinguishes."""
        number = self.instance.number("InstanceNumber")
        return (float("inf") if number is None else number, str(self.instance.path), self.index)


def frames_of(instance: Instance) -> list[Frame]:
    """Return the frames of a file, in its order."""
    header = instance.header
    shared = _first(value_of(header, "SharedFunctionalGroupsSequence"))
    own = value_of(header, "PerFrameFunctionalGroupsSequence") or []
    return [
        _frame(instance, index, _Tags(header, shared, own[index] if index < len(own) else None))
        for index in range(instance.frames)
    ]


class _Tags:
    """The tags of one frame: its own, those that all frames share, or those of the file."""

    def __init__(self, header: Any, shared: Any, own: Any) -> None:
        self._header = header
        self._groups = [group for group in (own, shared) if group is not None]

    def get(self, keyword: str) -> Any:
        sequence = _GROUPS.get(keyword)
        for group in self._groups:
            item = None if sequence is None else _first(value_of(group, sequence))
            value = None if item is None else value_of(item, keyword)
            if value is not None:
                return value
        return value_of(self._header, keyword)


def _frame(instance: Instance, index: int, tags: _Tags) -> Frame:
    orientation = as_numbers(tags.get("ImageOrientationPatient"), 6)
    position = as_numbers(tags.get("ImagePositionPatient"), 3)
    depth = as_number(tags.get("SpacingBetweenSlices")) or as_number(tags.get("SliceThickness"))
    values: dict[str, Any] = {}
    for keyword in (*(k for keys in CHANNEL_KEYS.values() for k in keys), *TIME_KEYS):
        value = tags.get(keyword)
        if value not in (None, ""):
            values[keyword] = tuple(value) if hasattr(value, "__iter__") and not isinstance(value, str) else value
    if instance.frames > 1:
        position, orientation = _moved(instance, index, position, orientation, depth)
        slots = instance.header.get("TimeSlotVector")
        if slots is not None and index < len(slots):
            values["TimeSlotVector"] = slots[index]
    slope, intercept = as_number(tags.get("RescaleSlope")), as_number(tags.get("RescaleIntercept"))
    dose = as_number(tags.get("DoseGridScaling"))
    return Frame(
        instance,
        index,
        None if position is None or orientation is None else (position[0], position[1], position[2]),
        orientation,
        as_numbers(tags.get("PixelSpacing"), 2),
        None if depth is None else abs(depth),
        (1.0 if slope is None else slope) if dose is None else dose,
        intercept or 0.0,
        values,
    )


def _moved(
    instance: Instance,
    index: int,
    position: tuple[float, ...] | None,
    orientation: tuple[float, ...] | None,
    depth: float | None,
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return position and orientation of a frame in files that give them once for all, or for the detector."""
    header = instance.header
    if header.get("PerFrameFunctionalGroupsSequence"):
        return position, orientation
    detector = _first(header.get("DetectorInformationSequence"))
    if detector is not None:
        orientation = orientation or as_numbers(detector.get("ImageOrientationPatient"), 6)
        position = position or as_numbers(detector.get("ImagePositionPatient"), 3)
    offsets = header.get("GridFrameOffsetVector")
    slices = header.get("SliceVector")
    along: float | None = None
    if offsets is not None and hasattr(offsets, "__len__") and index < len(offsets):
        along = as_number(offsets[index])
        first = as_number(offsets[0])
        if along is not None and first:
            # Offsets that begin at a coordinate instead of 0 are counted from the first.
            along -= first
    elif slices is not None and hasattr(slices, "__len__") and index < len(slices) and depth:
        along = (int(slices[index]) - 1) * depth
    if position is None or orientation is None or along is None:
        return None, orientation
    across = normal_of(orientation)
    return tuple(p + along * n for p, n in zip(position, across, strict=True)), orientation


def normal_of(orientation: tuple[float, ...]) -> Vector:
    """Return the vector of length 1 across the rows and columns of a slice."""
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = sum(n * n for n in normal) ** 0.5 or 1.0
    return normal[0] / length, normal[1] / length, normal[2] / length


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence is not None and len(sequence) else None
