"""BigDataViewer: setups, channels, angles, time points, levels and registrations, from HDF5 or N5 with an XML."""

from __future__ import annotations

import numpy as np
import pytest

from napari_s1omni.errors import SeveralImages, SourceError
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

h5py = pytest.importorskip("h5py")
VOLUME = np.arange(8 * 20 * 24, dtype=np.uint16).reshape(8, 20, 24) + 40_000


def setup(number, channel, angle, name=""):
    return (
        f"<ViewSetup><id>{number}</id><name>{name}</name><size>24 20 8</size><voxelSize><unit>um</unit>"
        f"<size>0.5 0.5 2.0</size></voxelSize><attributes><channel>{channel}</channel><angle>{angle}</angle>"
        "</attributes></ViewSetup>"
    )


def xml(setups, affine, loader, times="<Timepoints type='range'><first>0</first><last>1</last></Timepoints>"):
    views = "".join(
        f"<ViewRegistration timepoint='{t}' setup='{s}'><ViewTransform type='affine'><affine>1 0 0 10 0 1 0 20 0 0 1 30"
        f"</affine></ViewTransform><ViewTransform type='affine'><affine>{affine}</affine></ViewTransform>"
        "</ViewRegistration>"
        for t in (0, 1)
        for s in range(len(setups))
    )
    return (
        f"<?xml version='1.0'?><SpimData version='0.2'><BasePath type='relative'>.</BasePath><SequenceDescription>{loader}"
        f"<ViewSetups>{''.join(setups)}<Attributes name='channel'><Channel><id>0</id><name>GFP</name></Channel><Channel>"
        "<id>1</id><name>RFP</name></Channel></Attributes><Attributes name='angle'><Angle><id>0</id><name>45</name></Angle>"
        f"<Angle><id>1</id><name>90</name></Angle></Attributes></ViewSetups>{times}"
        f"<MissingViews><MissingView timepoint='1' setup='1'/></MissingViews></SequenceDescription><ViewRegistrations>{views}"
        "</ViewRegistrations></SpimData>"
    ).replace("<Attributes name='channel'><Channel>", "<Attributes name='channel'><Channel>")


def views(path, count):
    with h5py.File(path, "w") as file:
        for s in range(count):
            file[f"s{s:02d}/resolutions"] = np.array([[1.0, 1, 1], [2, 2, 1]])
            file[f"s{s:02d}/subdivisions"] = np.array([[8, 8, 8], [8, 8, 8]])
            for t in (0, 1):
                if (t, s) == (1, 1):
                    continue
                for level, step in enumerate((1, 2)):
                    data = (VOLUME + 100 * s + 10 * t)[:, ::step, ::step].view(np.int16)
                    file.create_dataset(f"t{t:05d}/s{s:02d}/{level}/cells", data=data, chunks=(8, 8, 8))


HDF5 = "<ImageLoader format='bdv.hdf5'><hdf5 type='relative'>a.h5</hdf5></ImageLoader>"
CALIBRATION = "0.5 0 0 0 0 0.5 0 0 0 0 2 0"


@pytest.mark.parametrize("name", ["a.xml", "a.h5"])
def test_channels_and_time_points_of_an_angle_are_one_image(tmp_path, name):
    views(tmp_path / "a.h5", 3)
    (tmp_path / "a.xml").write_text(xml([setup(0, 0, 0), setup(1, 1, 0), setup(2, 0, 1)], CALIBRATION, HDF5))
    path = tmp_path / name
    headers = list_file(format_of(path), path)
    assert [(h.name, h.axes, h.shape, h.levels) for h in headers] == [
        ("angle 45", "tczyx", (2, 2, 8, 20, 24), 2),
        ("angle 90", "tzyx", (2, 8, 20, 24), 2),
    ]
    with pytest.raises(SeveralImages, match="angle 45"):
        open_source(path)
    source = open_source(f"{path}::angle 45")
    spec = source.spec
    assert spec.scale[2:] == (2.0, 0.5, 0.5)
    assert spec.translate[2:] == (30.0, 20.0, 10.0)
    assert spec.units[2:] == ("micrometer",) * 3
    assert spec.channel_names == ("GFP", "RFP")
    assert spec.dtype == "uint16"
    pixels = source.read()
    np.testing.assert_array_equal(pixels[0, 1], VOLUME + 100)
    np.testing.assert_array_equal(pixels[1, 0], VOLUME + 10)
    assert not pixels[1, 1].any()
    assert any("time point 1, setup 1" in note for note in source.notes)
    assert any("as BigDataViewer means them" in note for note in source.notes)
    np.testing.assert_array_equal(source.levels()[0].read()[1, 0], (VOLUME + 10)[:, ::2, ::2])


def test_a_turned_view_keeps_its_pixels_and_says_so(tmp_path):
    views(tmp_path / "a.h5", 1)
    (tmp_path / "a.xml").write_text(xml([setup(0, 0, 0)], "0 0.5 0 0 0.5 0 0 0 0 0 2 0", HDF5))
    source = open_source(tmp_path / "a.xml")
    assert source.spec.translate == (0.0,) * 4
    assert any("rotates, mirrors" in note for note in source.notes)


def test_positions_of_big_stitcher_are_in_pixels_of_x(tmp_path):
    views(tmp_path / "a.h5", 1)
    (tmp_path / "a.xml").write_text(xml([setup(0, 0, 0)], "1 0 0 0 0 1 0 0 0 0 4 0", HDF5))
    assert open_source(tmp_path / "a.xml").spec.translate == (0.0, 15.0, 10.0, 5.0)


def test_without_an_xml(tmp_path):
    views(tmp_path / "a.h5", 2)
    headers = list_file(format_of(tmp_path / "a.h5"), tmp_path / "a.h5")
    assert [h.name for h in headers] == ["s00", "s01"]
    source = open_source(f"{tmp_path / 'a.h5'}::s00")
    np.testing.assert_array_equal(source.read()[0], VOLUME)
    assert any(r"no a.xml" in note for note in source.notes)


def test_views_in_n5(tmp_path):
    tensorstore = pytest.importorskip("tensorstore")
    for t in (0, 1):
        place = {"driver": "file", "path": f"{tmp_path}/a.n5/setup0/timepoint{t}/s0/"}
        metadata = {
            "dataType": "uint16",
            "dimensions": [24, 20, 8],
            "blockSize": [8] * 3,
            "compression": {"type": "gzip"},
        }
        array = tensorstore.open({"driver": "n5", "kvstore": place, "metadata": metadata}, create=True).result()
        array.write((VOLUME + t).T).result()
    loader = "<ImageLoader format='bdv.n5'><n5 type='relative'>a.n5</n5></ImageLoader>"
    (tmp_path / "a.xml").write_text(xml([setup(0, 0, 0)], CALIBRATION, loader))
    for name in ("a.xml", "a.n5"):
        source = open_source(tmp_path / name)
        assert source.spec.scale[1:] == (2.0, 0.5, 0.5)
        np.testing.assert_array_equal(source.read(), np.stack([VOLUME, VOLUME + 1]))


def test_damage(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(xml([setup(0, 0, 0)], CALIBRATION, HDF5))
    with pytest.raises(SourceError, match=r"names its pixels at .*a\.h5, where nothing is"):
        open_source(path)
    path.write_text(path.read_text().replace("bdv.hdf5", "spimreconstruction.stack.loci"))
    with pytest.raises(SourceError, match=r"stack\.loci"):
        open_source(path)
    path.write_text(path.read_text()[:300])
    with pytest.raises(SourceError, match="cannot be read as the XML of BigDataViewer"):
        open_source(path)
    path.write_text("<?xml version='1.0'?><Experiment/>")
    with pytest.raises(SourceError, match="unknown file ending"):
        open_source(path)
