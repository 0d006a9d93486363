"""Imaris: padded levels, time points, channels, extents and times, in the layout that Imaris writes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file, read_image_of
from napari_s1omni.storage.source import open_source

h5py = pytest.importorskip("h5py")
VOLUME = np.arange(20 * 30 * 40, dtype=np.uint16).reshape(20, 30, 40)


def put(node, **attributes):
    """Write attributes letter by letter, as Imaris does."""
    for name, value in attributes.items():
        node.attrs[name] = np.array([c.encode() for c in str(value)], "S1")


def write(path, times=("00:00:00.000", "00:00:10.000"), channels=2):
    with h5py.File(path, "w") as file:
        for level, step in enumerate((1, 2)):
            values = VOLUME[:, ::step, ::step]
            for time in range(len(times)):
                for channel in range(channels):
                    group = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint {time}/Channel {channel}")
                    put(group, **dict(zip(("ImageSizeZ", "ImageSizeY", "ImageSizeX"), values.shape, strict=True)))
                    padded = np.zeros((24, 32, 64), np.uint16)
                    padded[tuple(map(slice, values.shape))] = values + 100 * time + 10 * channel
                    group.create_dataset("Data", data=padded, chunks=(8, 16, 16), compression="gzip")
        image = file.create_group("DataSetInfo/Image")
        put(image, ExtMin0=10, ExtMin1=0, ExtMin2=0, ExtMax0=30, ExtMax1=15, ExtMax2=40, Unit="um")
        put(image, RecordingDate="2020-01-02 03:04:05.678")
        for channel in range(channels):
            node = file.create_group(f"DataSetInfo/Channel {channel}")
            put(node, Name=f"dye {channel}", Color="1.000 0.500 0.000", LSMEmissionWavelength="520")
        node = file.create_group("DataSetInfo/TimeInfo")
        for i, time in enumerate(times, 1):
            put(node, **{f"TimePoint{i}": f"2020-01-02 {time}"})
    return path


def test_everything_that_the_file_says(tmp_path):
    path = write(tmp_path / "a.ims")
    [header] = list_file(format_of(path), path)
    assert (header.axes, header.shape, header.levels) == ("tczyx", (2, 2, 20, 30, 40), 2)
    source = open_source(path)
    spec = source.spec
    assert spec.scale == (10.0, 1.0, 2.0, 0.5, 0.5)
    assert spec.units == ("second", None, "micrometer", "micrometer", "micrometer")
    # Extents reach to the outer corners of the image.
    assert spec.translate[2:] == (1.0, 0.25, 10.25)
    assert spec.channel_names == ("dye 0", "dye 1")
    box = (slice(0, 2), slice(0, 2), slice(3, 9), slice(25, 30), slice(10, 40))
    np.testing.assert_array_equal(source.read(box)[1, 1], VOLUME[box[2:]] + 110)
    [level] = source.levels()
    np.testing.assert_array_equal(level.read()[0, 1], VOLUME[:, ::2, ::2] + 10)
    assert open_source(path, level=1).spec.scale[-1] == 1.0
    acquisition = read_image_of(format_of(path), path, None).acquisition
    assert acquisition.date.startswith("2020-01-02T03:04:05.678")
    assert acquisition.channels[0].color == "FF8000"
    assert acquisition.channels[0].emission == 520


def test_uneven_times_and_missing_views(tmp_path):
    path = write(tmp_path / "a.ims", times=("00:00:00.000", "00:00:10.000", "00:01:00.000"), channels=1)
    with h5py.File(path, "r+") as file:
        del file["DataSet/ResolutionLevel 0/TimePoint 1/Channel 0"]
    source = open_source(path)
    assert source.spec.scale[0] == 30.0
    assert any("uneven" in note for note in source.notes)
    assert any("1 of 3 volumes were never written" in note for note in source.notes)
    assert not source.read((slice(1, 2), slice(0, 20), slice(0, 30), slice(0, 40))).any()
    assert read_image_of(format_of(path), path, None).acquisition.times == (0, 10, 60)


def test_a_file_without_pixels(tmp_path):
    with h5py.File(tmp_path / "a.ims", "w") as file:
        file.create_group("DataSet")
    with pytest.raises(SourceError, match="no image of Imaris"):
        open_source(tmp_path / "a.ims")
    (tmp_path / "b.ims").write_bytes(b"\xd0\xcf\x11\xe0" * 200)
    with pytest.raises(SourceError, match=r"b\.ims cannot be read"):
        open_source(tmp_path / "b.ims")
