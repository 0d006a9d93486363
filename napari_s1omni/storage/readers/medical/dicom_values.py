"""What the values of DICOM pixels mean: Hounsfield units, SUV, dose, colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.medical.dicom_frames import Frame
from napari_s1omni.storage.readers.medical.dicom_instance import Instance, as_number, quiet_pydicom

_PALETTE = "PALETTE COLOR"
_WHOLE = 1e-9


@dataclass(frozen=True, slots=True)
class Values:
    """How stored values become those that are read."""

    dtype: np.dtype[Any]
    factor: float = 1.0
    """Multiplies the rescaled values, for SUV."""
    rescaled: bool = False
    """Whether slope, intercept and factor change anything."""
    table: str = ""
    """``palette``, ``modality`` or empty: a lookup table that takes the place of slope and intercept."""

    def apply(self, stored: NDArray[Any], frame: Frame) -> NDArray[Any]:
        """Return the values of a frame as `dtype`."""
        if self.table:
            from pydicom.pixels import apply_color_lut, apply_modality_lut

            look_up = apply_color_lut if self.table == "palette" else apply_modality_lut
            with quiet_pydicom():
                return np.asarray(look_up(stored, frame.instance.header)).astype(self.dtype)
        if not self.rescaled:
            return stored.astype(self.dtype, copy=False)
        if self.dtype.kind == "f":
            return (stored * np.float64(frame.slope) + frame.intercept) * self.factor
        whole = stored.astype(np.int64) * round(frame.slope) + round(frame.intercept)
        limits = np.iinfo(self.dtype)
        return whole.clip(limits.min, limits.max).astype(self.dtype)


def read_values(frames: Sequence[Frame], notes: list[str]) -> Values:
    """Decide what the values of an image mean, from the headers of all its frames.

    Parameters
    ----------
    frames : sequence of Frame
        All frames of the image.
    notes : list of str
        Receives what the values mean, and what is missing to say more.
    """
    instance = frames[0].instance
    stored = _stored_type(instance)
    if instance.options.get("photometric_interpretation") == _PALETTE:
        notes.append("a palette gives the colours")
        depth = instance.header.get("RedPaletteColorLookupTableDescriptor") or (0, 0, 8)
        return Values(np.dtype(np.uint16 if int(depth[2]) > 8 else np.uint8), table="palette")
    if instance.options.get("photometric_interpretation") == "MONOCHROME1":
        notes.append("the values are kept as stored, though the file wants them shown inverted (MONOCHROME1)")
    if instance.header.get("ModalityLUTSequence"):
        notes.append("a lookup table of the file gives the values")
        return Values(np.dtype(np.uint16), table="modality")
    factor, meaning = _meaning(frames, notes)
    slopes = {(frame.slope, frame.intercept) for frame in frames}
    if slopes == {(1.0, 0.0)} and factor == 1.0:
        if meaning:
            notes.append(f"the values are {meaning}")
        return Values(stored)
    whole = all(abs(n - round(n)) < _WHOLE for pair in slopes for n in pair) and factor == 1.0 and stored.kind in "iu"
    dtype = _whole_type(instance, slopes) if whole else np.dtype(np.float64)
    pair = next(iter(slopes))
    how = f"stored value x {pair[0]:g} {'-' if pair[1] < 0 else '+'} {abs(pair[1]):g}"
    how = how if len(slopes) == 1 else "by slope and intercept of each slice"
    notes.append(f"the values are {meaning or 'rescaled'} ({how})")
    return Values(dtype, factor, True)


def _stored_type(instance: Instance) -> np.dtype[Any]:
    """Return the type of stored values in native byte order."""
    kind = {"FloatPixelData": "f4", "DoubleFloatPixelData": "f8"}.get(str(instance.options.get("pixel_keyword")))
    if kind:
        return np.dtype(kind)
    size = max(1, int(instance.options["bits_allocated"]) // 8)
    return np.dtype(f"{'i' if int(instance.options.get('pixel_representation') or 0) else 'u'}{size}")


def _whole_type(instance: Instance, slopes: set[tuple[float, float]]) -> np.dtype[Any]:
    """Return the smallest type that holds all values that can be stored, rescaled to whole numbers."""
    bits = int(instance.options.get("bits_stored") or instance.options["bits_allocated"])
    signed = bool(int(instance.options.get("pixel_representation") or 0))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = [n * slope + intercept for slope, intercept in slopes for n in (low, high)]
    if instance.text("Modality") == "CT" and signed and bits == 16 and max(ends) <= 2**15:
        # No tissue is below -32768 HU; what scanners write there lies outside of their field.
        return np.dtype(np.int16)
    for name in ("int16", "uint16", "int32"):
        if np.iinfo(name).min <= min(ends) and max(ends) <= np.iinfo(name).max:
            return np.dtype(name)
    return np.dtype(np.float64)


def _meaning(frames: Sequence[Frame], notes: list[str]) -> tuple[float, str]:
    """Return the factor to apply after the rescaling, and what the values are then."""
    instance = frames[0].instance
    kind, unit = instance.text("RescaleType"), instance.text("Units")
    modality = instance.text("Modality")
    if modality == "PT":
        factor, missing = suv_factor([frame.instance for frame in frames])
        if factor is not None:
            return factor, "SUV by body weight, decay-corrected" if unit != "GML" else "SUV as the scanner gives them"
        notes.append(f"the values are not SUV: {missing}")
        return 1.0, {"BQML": "Bq/ml", "CNTS": "counts", "PROPCNTS": "proportional to counts"}.get(unit, unit)
    if modality == "RTDOSE":
        return 1.0, {"GY": "Gy", "RELATIVE": "relative dose"}.get(instance.text("DoseUnits"), "dose")
    if modality == "CT" and kind in ("", "HU") and instance.number("RescaleSlope") is not None:
        return 1.0, "Hounsfield units"
    return 1.0, "" if kind in ("", "US") else kind


def suv_factor(instances: Sequence[Instance]) -> tuple[float | None, str]:
    """Return what turns rescaled values into SUV by body weight (g/ml), or None and what the files lack for it."""
    instance = instances[0]
    unit = instance.text("Units")
    header = instance.header
    if unit == "GML":
        return 1.0, ""
    philips = as_number(_value(header, 0x70531000))
    if unit == "CNTS" and philips:
        return philips, ""
    to_activity = 1.0
    if unit == "CNTS":
        to_activity = as_number(_value(header, 0x70531009)) or 0.0
    if unit not in ("BQML", "CNTS") or not to_activity:
        return None, f"their unit is {unit or 'not given'}, and SUV need Bq/ml"
    corrected = [str(c) for c in header.get("CorrectedImage") or ()]
    if "DECY" not in corrected or "ATTN" not in corrected:
        return None, "the image is not corrected for decay and attenuation"
    weight = instance.number("PatientWeight")
    about = header.get("RadiopharmaceuticalInformationSequence") or [None]
    drug = about[0]
    dose = as_number(drug.get("RadionuclideTotalDose")) if drug is not None else None
    half_life = as_number(drug.get("RadionuclideHalfLife")) if drug is not None else None
    if not weight or not dose or not half_life:
        lacking = {"the patient's weight": weight, "the injected dose": dose, "the half-life": half_life}
        return None, f"the file lacks {' and '.join(name for name, value in lacking.items() if not value)}"
    correction = instance.text("DecayCorrection")
    if correction == "ADMIN":
        return to_activity * weight * 1000 / dose, ""
    if correction != "START":
        return None, f"decay is corrected to an unknown time ({correction or 'none given'})"
    waited = _seconds_to_scan(instances, drug)
    if waited is None:
        return None, "the file lacks the time of injection or of the scan"
    return to_activity * weight * 1000 / (dose * 2 ** (-waited / half_life)), ""


def _seconds_to_scan(instances: Sequence[Instance], drug: Any) -> float | None:
    """Return the time from injection to the start of the series; None if the files do not tell."""
    scan = _moment(instances[0].text("SeriesDate"), instances[0].text("SeriesTime"))
    acquired = [_moment(i.text("AcquisitionDate"), i.text("AcquisitionTime")) for i in instances]
    begin_of_scan = min((moment for moment in acquired if moment is not None), default=None)
    if scan is None or (begin_of_scan is not None and begin_of_scan < scan):
        # A series that was computed later has a later time than the scan it shows.
        scan = begin_of_scan
    injected = None
    begin = str(drug.get("RadiopharmaceuticalStartDateTime") or "")
    if len(begin) >= 14:
        injected = _moment(begin[:8], begin[8:].split("+")[0].split("-")[0])
    if injected is None and scan is not None:
        injected = _moment(scan.strftime("%Y%m%d"), str(drug.get("RadiopharmaceuticalStartTime") or ""))
        if injected is not None and injected > scan:
            injected -= timedelta(days=1)
    if scan is None or injected is None:
        return None
    return (scan - injected).total_seconds()


def _moment(date: str, time: str) -> datetime | None:
    """Return a date and a time of DICOM as one; None if they are none."""
    try:
        found = datetime.strptime(f"{date[:8]}{time[:6]}", "%Y%m%d%H%M%S")
        return found + timedelta(seconds=float(f"0.{time[7:]}" if len(time) > 7 else "0"))
    except ValueError:
        return None


def _value(header: Any, tag: int) -> Any:
    return header[tag].value if tag in header else None
