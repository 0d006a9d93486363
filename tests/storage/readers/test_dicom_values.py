"""What DICOM values mean, how they are stored, and files with several frames."""

import shutil

import numpy as np
import pytest

pytest.importorskip("pydicom")
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut
from shipped_files import shipped

from napari_s1omni.benchmarks.reading.instrument_files.dicom import dataset, volume, write_series
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.medical import dicom_instance
from napari_s1omni.storage.source import open_source

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def alone(tmp_path, name):
    """Copy a file of pydicom into a folder of its own."""
    return shutil.copy(shipped(name), tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "tags", "dtype"),
    [
        (np.int16, {"RescaleSlope": 1, "RescaleIntercept": -1024}, "int16"),
        (np.uint16, {"RescaleSlope": 1, "RescaleIntercept": -1024, "BitsStored": 12, "HighBit": 11}, "int16"),
        (np.uint16, {"RescaleSlope": 2, "RescaleIntercept": -1024}, "int32"),
        (np.int16, {"RescaleSlope": 0.5, "RescaleIntercept": 3.25}, "float64"),
        (np.uint8, {}, "uint8"),
    ],
)
def test_values_are_rescaled_to_their_meaning(tmp_path, kind, tags, dtype):
    stored = volume().astype(kind)
    source = open_source(write_series(tmp_path / "scan", stored, **tags))
    expected = stored * float(tags.get("RescaleSlope", 1)) + tags.get("RescaleIntercept", 0)
    assert source.spec.dtype == dtype
    np.testing.assert_array_equal(source.read(), expected)
    assert any("Hounsfield units" in note for note in source.notes) == bool(tags)


def pet(tmp_path, **tags):
    drug = Dataset()
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = 370e6, 6586.2
    drug.RadiopharmaceuticalStartTime = "110000"
    about = {
        "Modality": "PT",
        "Units": "BQML",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "DecayCorrection": "START",
        "SeriesDate": "20260102",
        "SeriesTime": "120000.00",
        "AcquisitionDate": "20260102",
        "AcquisitionTime": "120000.00",
        "PatientWeight": 74.0,
        "RadiopharmaceuticalInformationSequence": [drug],
        "RescaleSlope": 2.5,
        "RescaleIntercept": 0,
    }
    return open_source(write_series(tmp_path / "pet", volume(), **{**about, **tags}))


def test_pet_is_read_as_suv(tmp_path):
    source = pet(tmp_path)
    # An hour of decay lies between injection and scan.
    factor = 74_000 / (370e6 * 2 ** (-3600 / 6586.2))
    np.testing.assert_allclose(source.read(), volume() * 2.5 * factor, rtol=1e-12)
    assert any("SUV by body weight, decay-corrected" in note for note in source.notes)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"PatientWeight": None}, "the file lacks the patient's weight"),
        ({"CorrectedImage": ["ATTN"]}, "not corrected for decay"),
        ({"Units": "CNTS"}, "their unit is CNTS"),
        ({"DecayCorrection": "NONE"}, "corrected to an unknown time"),
    ],
)
def test_pet_without_what_suv_need_says_so(tmp_path, tags, said):
    tags = {name: value for name, value in tags.items() if value is not None} | {
        name: 0 for name, value in tags.items() if value is None
    }
    source = pet(tmp_path, **tags)
    np.testing.assert_allclose(source.read(), volume() * 2.5)
    assert any("the values are not SUV" in note and said in note for note in source.notes)


@pytest.mark.parametrize(
    "name",
    [
        *("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_bigendian.dcm"),
        *("JPGExtended.dcm", "693_J2KI.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_ybr_full_422_uncompressed.dcm"),
        *(
            "SC_rgb_dcmtk_+eb+cr.dcm",
            "SC_rgb_rle_16bit_2frame.dcm",
            "examples_ybr_color.dcm",
            "rtdose.dcm",
            "image_dfl.dcm",
        ),
        *("SC_rgb_jpeg.dcm", "liver_1frame.dcm"),
    ],
)
def test_compressed_and_odd_files_agree_with_pydicom(tmp_path, name):
    path = alone(tmp_path, name)
    source = open_source(path)
    found = pydicom.dcmread(path)
    try:
        expected = found.pixel_array
    except RuntimeError:
        # JPEG of 12 bits: only a package under the GPL decodes it, which nothing here installs.
        with pytest.raises(SourceError, match=r"pylibjpeg|decode"):
            source.read()
        return
    if "RescaleSlope" in found:
        expected = apply_modality_lut(expected, found)
    if "DoseGridScaling" in found:
        expected = expected * float(found.DoseGridScaling)
    pixels = source.read()
    if source.spec.rgb:
        pixels = np.moveaxis(pixels, source.spec.axes.index("c"), -1)
    elif found.SamplesPerPixel == 3:
        expected = expected[..., 0]
    np.testing.assert_array_equal(pixels, expected)


def test_a_palette_gives_colours(tmp_path):
    path = alone(tmp_path, "examples_palette.dcm")
    found = pydicom.dcmread(path)
    np.testing.assert_array_equal(
        np.moveaxis(open_source(path).read(), 0, -1), apply_color_lut(found.pixel_array, found)
    )


def test_ultrasound_frames_are_time_points(tmp_path):
    source = open_source(alone(tmp_path, "examples_ybr_color.dcm"))
    assert source.spec.axes == ("t", "c", "y", "x")
    assert source.spec.scale[0] == pytest.approx(0.033333)
    assert source.spec.units == ("second", None, "millimeter", "millimeter")


def enhanced(path, order=(2, 0, 1), positions=(4.0, 0.0, 2.0)):
    """Write one file whose frames are stored in another order than they lie in the patient."""
    stored = volume(3)
    found = dataset(stored[list(order)], NumberOfFrames=3, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", PixelSpacing=None)
    del found.ImageOrientationPatient, found.SliceThickness
    shared, turned, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    turned.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.75], 2.0
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1000, "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [turned], [measures]
    shared.PixelValueTransformationSequence = [values]
    own = []
    for place in positions:
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [1.0, 2.0, place]
        frame.PlanePositionSequence = [position]
        own.append(frame)
    found.SharedFunctionalGroupsSequence, found.PerFrameFunctionalGroupsSequence = [shared], own
    found.save_as(path, enforce_file_format=True)
    return stored


def test_frames_of_one_file_lie_in_the_order_of_their_positions(tmp_path):
    stored = enhanced(tmp_path / "e.dcm")
    source = open_source(tmp_path / "e.dcm")
    np.testing.assert_array_equal(source.read(), stored.astype(int) - 1000)
    assert source.spec.scale == (2.0, 0.5, 0.75)
    assert source.spec.translate == (0.0, 2.0, 1.0)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    from pydicom.pixels.decoders import JPEG2000LosslessDecoder

    path = alone(tmp_path, "MR_small_jp2klossless.dcm")
    monkeypatch.setattr(JPEG2000LosslessDecoder, "_available", {})
    monkeypatch.setattr(
        JPEG2000LosslessDecoder, "_unavailable", {"pylibjpeg": ("pylibjpeg>=2.0", "pylibjpeg-openjpeg>=2.0")}
    )
    with pytest.raises(SourceError, match=r"JPEG 2000.*pylibjpeg-openjpeg.*pip install"):
        open_source(path)


@pytest.mark.parametrize("content", [b"", b"no image" * 40, bytes(500), b"PK\3\4" + bytes(200)])
def test_what_is_no_dicom_file_is_refused(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.dcm"):
        open_source(tmp_path / "a.dcm")


def test_headers_are_read_without_pixels(tmp_path, monkeypatch):
    folder = write_series(tmp_path / "scan", volume())
    monkeypatch.setattr(dicom_instance.Instance, "decode", None)
    assert open_source(folder).spec.shape == (6, 24, 32)
