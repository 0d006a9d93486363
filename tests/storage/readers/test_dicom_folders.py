"""Folders of several series, reports between them, DICOMDIR, and folders of other files."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydicom")
from shipped_files import shipped

from napari_s1omni.benchmarks.reading.instrument_files.dicom import dataset, report, volume, write_series
from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    write_series(folder, volume(), SeriesDescription="Chest", SeriesNumber=2)
    names = [f"other{k}.dcm" for k in range(4)]
    write_series(folder, volume(4, 16, 16), series="1.2.5", names=names, SeriesDescription="Head", SeriesNumber=1)
    report(folder / "report.dcm")
    return folder


def test_a_folder_of_two_series_and_a_report(study):
    headers = list_file(format_of(study), study)
    assert [(h.name, h.axes, h.shape) for h in headers] == [
        ("1 Head", "zyx", (4, 16, 16)),
        ("2 Chest", "zyx", (6, 24, 32)),
    ]
    assert headers[1].scale == (2.0, 0.5, 0.75)
    assert headers[1].units == ("millimeter",) * 3
    with pytest.raises(SeveralImages, match=r"'1 Head', '2 Chest'"):
        open_source(study)
    for name in ("2 Chest", "1"):
        source = open_source(f"{study}::{name}")
        np.testing.assert_array_equal(source.read(), volume())
        assert any("skipped" in note and "SR (report.dcm)" in note for note in source.notes)
    assert open_source(source.spec.source).spec == source.spec


def test_pictures_beside_a_series_are_said(study):
    for name in ("key.png", "Thumbs.db", ".hidden"):
        (study / name).write_bytes(b"x")
    notes = open_source(f"{study}::2 Chest").notes
    assert "skipped, since it is no DICOM file: 1 .png (key.png)" in notes


def test_a_folder_of_reports_holds_no_image(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    report(folder / "report.dcm")
    with pytest.raises(SourceError, match=r"no DICOM image.*report\.dcm"):
        open_source(folder)
    with pytest.raises(SourceError, match=r"report\.dcm holds no image"):
        open_source(folder / "report.dcm")


def test_a_dicomdir_lists_its_files(tmp_path):
    disc = Path(shutil.copytree(Path(shipped("DICOMDIR")).parent, tmp_path / "disc"))
    source = open_source(f"{disc / 'DICOMDIR'}::19950903 2 Routine Brain")
    assert source.spec.shape == (4, 16, 16)
    assert source.spec.scale == (1.25, 0.488281, 0.488281)
    names = [header.name for header in list_file(format_of(disc), disc)]
    assert len(names) == len(set(names)) == 24
    next(path for path in sorted(disc.rglob("*")) if path.is_file() and path.name.isdecimal()).unlink()
    source = open_source(f"{disc / 'DICOMDIR'}::0")
    assert any("1 of the 31 files that DICOMDIR lists are missing" in note for note in source.notes)


def test_two_series_with_one_name_stay_apart(tmp_path):
    folder = write_series(tmp_path / "study", volume())
    write_series(folder, volume(2), series="1.2.6", names=["a.dcm", "b.dcm"])
    assert [h.name for h in list_file(format_of(folder), folder)] == ["1 Chest (1)", "1 Chest (2)"]


def test_a_folder_of_many_kinds_is_no_series(tmp_path):
    folder = write_series(tmp_path / "mixed", volume(1))
    np.save(folder / "a.npy", volume(1))
    np.save(folder / "b.npy", volume(1))
    assert format_of(folder) is None
    assert [entry.name for entry in list_sources(folder)] == ["IM0000", "a", "b"]
    notes = write_series(tmp_path / "notes", volume())
    for number in range(20):
        (notes / f"{number}.json").write_text("{}")
    assert open_source(notes).spec.shape == volume().shape
    empty = tmp_path / "empty"
    empty.mkdir()
    assert format_of(empty) is None


def test_two_views_of_one_series_are_two_images(tmp_path):
    folder = tmp_path / "chest"
    folder.mkdir()
    for number, plane in enumerate(volume(2)):
        found = dataset(plane, None, number, ImageOrientationPatient=None, Modality="DX", ImagerPixelSpacing=[0.1, 0.1])
        del found.PixelSpacing
        found.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    headers = list_file(format_of(folder), folder)
    assert [(h.axes, h.scale) for h in headers] == [("yx", (0.1, 0.1))] * 2
    source = open_source(f"{folder}::1")
    np.testing.assert_array_equal(source.read(), volume(2)[1])
    assert any("the pixel size is that at the detector" in note for note in source.notes)


def test_a_damaged_dicomdir(tmp_path):
    (tmp_path / "DICOMDIR").write_bytes(b"DICM" * 100)
    with pytest.raises(SourceError, match="DICOMDIR"):
        open_source(tmp_path / "DICOMDIR")
