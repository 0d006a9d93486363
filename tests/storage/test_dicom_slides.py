"""Whole slides in DICOM: levels, channels, labels, several in a folder, damage. Written as the standard says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("wsidicom", reason="needs wsidicom (the extra 'slides')")

from napari_s1omni.benchmarks.reading.instrument_files.dicom_slide import write_slide
from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.readers.folder_formats import is_slide
from napari_s1omni.storage.readers.slides.dicom_slide import list_images
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (200, 330, 3), np.uint8)
STAINS = RNG.integers(0, 4000, (2, 200, 330), np.uint16)


def test_colours_levels_and_label(tmp_path):
    folder = write_slide(tmp_path / "slide", PICTURE)
    source = open_source(folder)
    np.testing.assert_array_equal(source.read(), np.moveaxis(PICTURE, -1, 0))
    np.testing.assert_array_equal(source.levels()[0].read(), np.moveaxis(PICTURE[::2, ::2], -1, 0))
    box = (slice(0, 3), slice(50, 141), slice(61, 200))
    np.testing.assert_array_equal(source.read(box), np.moveaxis(PICTURE, -1, 0)[box])
    assert source.spec.rgb
    assert source.spec.scale[1:] == pytest.approx((0.00025, 0.00025))
    assert source.spec.units[1:] == ("millimeter",) * 2
    names = [(header.name, header.main) for header in list_images(folder)]
    assert names == [("slide", True), ("slide/label", False)]
    label = open_source(f"{folder}::slide/label")
    np.testing.assert_array_equal(label.read(), np.moveaxis(PICTURE[:40, :50], -1, 0))
    # One of its files stands for the whole slide.
    assert open_source(folder / "level-1.dcm").spec.shape == source.spec.shape


def test_stains_are_channels_with_their_wavelength(tmp_path):
    folder = write_slide(tmp_path / "slide", STAINS, label=False)
    source = open_source(folder)
    assert source.spec.channel_names == ("DAPI", "GFP")
    np.testing.assert_array_equal(source.read(), STAINS)
    np.testing.assert_array_equal(source.read((slice(1, 2), slice(3, 90), slice(60, 70))), STAINS[1:2, 3:90, 60:70])
    header = list_images(folder)[0].to_json()
    assert header["channels"][1]["excitation"] == 488
    assert header["axes"] == "cyx"


def test_a_folder_with_two_slides_asks_which(tmp_path):
    folder = write_slide(tmp_path / "box", PICTURE, label=False)
    other = write_slide(tmp_path / "other", PICTURE[:128], label=False)
    for file in other.iterdir():
        file.rename(folder / f"b-{file.name}")
    with pytest.raises(SeveralImages, match=r"slide 0.*slide 1"):
        open_source(folder)
    sizes = {open_source(f"{folder}::{i}").spec.shape[1] for i in range(2)}
    assert sizes == {200, 128}


@pytest.mark.parametrize("kept", [200, 1200, 60_000])
def test_a_file_that_is_cut_off_is_named(tmp_path, kept):
    folder = write_slide(tmp_path / "slide", PICTURE, label=False)
    file = folder / "level-0.dcm"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(SourceError, match="slide"):
        open_source(folder).read()


def test_without_its_finest_level_a_slide_says_so(tmp_path):
    folder = write_slide(tmp_path / "slide", PICTURE, levels=3, label=False)
    (folder / "level-0.dcm").write_bytes(b"")
    source = open_source(folder)
    assert source.spec.shape == (3, 100, 165)
    assert any("finer one, whose file is missing" in note for note in source.notes)


def test_other_files_are_no_slide(tmp_path):
    (tmp_path / "notes.dcm").write_bytes(bytes(500))
    assert not is_slide(tmp_path)
    assert not is_slide(tmp_path / "missing.dcm")
    with pytest.raises(SourceError):
        list_images(tmp_path)
