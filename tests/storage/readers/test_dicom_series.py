"""DICOM series: slices in their order in the patient, and what is said of those that are not as they should be."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
from napari_s1omni.benchmarks.reading.instrument_files.dicom import dataset, volume, write_series
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

DATA = Path(os.environ.get("S1OMNI_DATA") or Path(__file__).parents[4] / "shared" / "data")


def notes(source):
    return " | ".join(source.notes)


def test_slices_lie_in_the_order_of_their_positions(tmp_path):
    stored = volume()
    source = open_source(write_series(tmp_path / "scan", stored))
    np.testing.assert_array_equal(source.read(), stored)
    assert source.spec.axes == ("z", "y", "x")
    assert source.spec.scale == (2.0, 0.5, 0.75)
    assert source.spec.units == ("millimeter",) * 3
    assert source.spec.translate == (5.0, 20.0, -10.0)
    np.testing.assert_array_equal(
        source.read([slice(2, 4), slice(3, 9), slice(5, 20)]), stored[2:4, 3:9, 5:20], strict=True
    )


def test_one_file_stands_for_its_series(tmp_path):
    folder = write_series(tmp_path / "scan", volume())
    dataset(volume(1)[0], (0, 0, 0), series="1.2.4").save_as(folder / "other.dcm", enforce_file_format=True)
    source = open_source(folder / "IM0002.dcm")
    np.testing.assert_array_equal(source.read(), volume())
    assert "one of 6 files of its series" in notes(source)
    assert open_source(folder / "other.dcm").spec.axes == ("y", "x")


def test_files_without_endings_and_another_process(tmp_path):
    folder = write_series(tmp_path / "scan", volume(), names=[f"1.2.840.{k}" for k in (5, 3, 1, 0, 2, 4)])
    source = open_source(folder)
    np.testing.assert_array_equal(source.read(), volume())
    again = open_source(source.spec.source)
    assert again.spec == source.spec
    np.testing.assert_array_equal(open_source(folder / "1.2.840.3").read(), volume())


@pytest.mark.parametrize(
    ("places", "said", "depth"),
    [
        ([0, 2, 4, 10, 12, 14], "2 slices are missing (gap between 9 and 15 mm)", 2),
        ([0, 1, 2, 3, 8, 13], "mixed spacings (1, 5 mm)", 1),
        ([0, 2, 4, 4, 6, 8], "1 duplicated slices", 2),
        ([0, 2, 4, 6.01, 8, 10], "", 2),
    ],
)
def test_gaps_mixed_spacings_and_duplicates_are_said(tmp_path, places, said, depth):
    source = open_source(write_series(tmp_path / "scan", volume(), places))
    assert said in notes(source)
    assert source.spec.scale[0] == pytest.approx(depth)
    assert bool(said) == bool(source.notes)


def test_a_file_copied_twice_is_read_once(tmp_path):
    folder = write_series(tmp_path / "scan", volume())
    (folder / "copy.dcm").write_bytes((folder / "IM0001.dcm").read_bytes())
    source = open_source(folder)
    np.testing.assert_array_equal(source.read(), volume())
    assert "1 of the 7 slices are copies of others" in notes(source)


def test_turned_axes_are_said(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    source = open_source(write_series(tmp_path / "scan", volume(), turned=(c, s, 0.0, -s * c, c * c, s)))
    np.testing.assert_array_equal(source.read(), volume())
    assert "direction cosines x (0.955, 0.296, 0)" in notes(source)
    assert source.spec.translate == (0, 0, 0)
    assert source.spec.scale[0] == pytest.approx(2)
    sagittal = open_source(write_series(tmp_path / "other", volume(), turned=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0)))
    assert "run towards PIR" in notes(sagittal)
    np.testing.assert_array_equal(sagittal.read(), volume())


def test_a_tilted_gantry_is_said(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for k, plane in enumerate(volume()):
        found = dataset(plane, (0, 0.4 * k, 2 * k), k + 1)
        found.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    source = open_source(folder)
    assert "the gantry is tilted by 11.3°" in notes(source)
    assert source.spec.scale[0] == pytest.approx(2)


def test_slices_without_positions_are_a_guess(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for k, plane in enumerate(volume()):
        found = dataset(plane, None, k + 1, ImageOrientationPatient=None)
        found.save_as(folder / f"{9 - k}.dcm", enforce_file_format=True)
    source = open_source(folder)
    np.testing.assert_array_equal(source.read(), volume())
    assert "do not say where they lie in the patient; all are read as axis z" in notes(source)
    assert "2 mm, is what the header calls so" in notes(source)


def test_time_points_and_echoes(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    stored = np.stack([volume(3) + 1000 * t + 100 * c for t in range(2) for c in range(2)]).reshape(2, 2, 3, 24, 32)
    for number, (t, c, z) in enumerate(np.ndindex(2, 2, 3)):
        found = dataset(
            stored[t, c, z],
            (0, 0, 3 * z),
            100 - number,
            Modality="MR",
            TemporalPositionIdentifier=t + 1,
            TemporalResolution=2500.0,
            EchoTime=(4.6, 9.2)[c],
        )
        found.save_as(folder / f"{hash((t, c, z)) % 10**8}.dcm", enforce_file_format=True)
    source = open_source(folder)
    np.testing.assert_array_equal(source.read(), stored)
    assert source.spec.axes == tuple("tczyx")
    assert source.spec.channel_names == ("echo 4.6 ms", "echo 9.2 ms")
    assert source.spec.scale[0] == 2.5
    assert source.spec.units[0] == "second"


def test_threads_read_at_once(tmp_path):
    stored = volume(12)
    source = open_source(write_series(tmp_path / "scan", stored))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        planes = list(
            pool.map(lambda z: source.read([slice(z, z + 1), slice(0, 24), slice(0, 32)])[0], [*range(12)] * 3)
        )
    np.testing.assert_array_equal(planes, [*stored] * 3)
    # Dropping the warnings of pydicom leaves those of others as they were.
    assert warnings.filters == before


def test_directions_of_diffusion_are_channels(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    kinds = [(0.0, None), (1000.0, [1.0, 0.0, 0.0]), (1000.0, [0.0, 0.6, 0.8])]
    for number, (c, z) in enumerate(np.ndindex(3, 2)):
        tags = {"Modality": "MR", "DiffusionBValue": kinds[c][0]}
        if kinds[c][1]:
            tags["DiffusionGradientOrientation"] = kinds[c][1]
        found = dataset(volume(2)[z] + 100 * c, (0, 0, 0.004 * z), number, PixelSpacing=[0.004, 0.004], **tags)
        found.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    source = open_source(folder)
    assert source.spec.channel_names == ("b 0", "b 1000, direction 0 0.6 0.8", "b 1000, direction 1 0 0")
    np.testing.assert_array_equal(source.read(), np.stack([volume(2) + 100 * c for c in (0, 2, 1)]))
    # Slices of micro-CT lie closer together than the rounding of a hospital's scanner.
    assert source.spec.scale == pytest.approx((1, 0.004, 0.004, 0.004))


def test_a_slice_that_is_cut_off_is_named(tmp_path):
    folder = write_series(tmp_path / "scan", volume())
    whole = (folder / "IM0003.dcm").read_bytes()
    (folder / "IM0003.dcm").write_bytes(whole[:-100])
    with pytest.raises(SourceError, match=r"IM0003\.dcm is cut off"):
        open_source(folder)
    (folder / "IM0003.dcm").write_bytes(whole[:200])
    assert "IM0003.dcm is a damaged DICOM file" in notes(open_source(folder))


@pytest.mark.data
def test_a_real_slice():
    path = DATA / "microscopes" / "ct_small.dcm"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    source = open_source(path)
    assert source.spec.shape == (128, 128)
    assert source.spec.scale == (0.661468, 0.661468)
    pixels = source.read()
    # 128 to 2191 as stored, with the intercept -1024.
    assert (pixels.dtype, pixels.min(), pixels.max()) == (np.int16, 128 - 1024, 2191 - 1024)
    assert "Hounsfield units" in notes(source)
