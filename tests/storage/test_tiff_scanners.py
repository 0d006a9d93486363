"""TIFF of slide scanners and microscopes: which image is read, and the size of its pixels. The files imitate theirs."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from napari_s1omni.core.units import METRES
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.format_descriptions import FORMATS
from napari_s1omni.storage.readers.registry import file_endings
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)
SLIDE = RNG.integers(0, 256, (256, 320, 3), np.uint8)
HALF = np.ascontiguousarray(SLIDE[::2, ::2])
SMALL = np.ascontiguousarray(SLIDE[:40, :100])
PLANE = RNG.integers(0, 4000, (64, 80), np.uint16)
COLOUR = {"photometric": "rgb", "metadata": None, "compression": "zlib"}
TILES = {**COLOUR, "tile": (64, 64)}
GREY = {"photometric": "minisblack", "metadata": None}


def first(pixels):
    return np.moveaxis(pixels, -1, 0)


def text(code, value):
    return code, 2, len(value) + 1, value.encode() + b"\0", True


def record(code, value):
    return code, 7, len(value), value, True


def micrometres(spec, axis="x"):
    i = spec.axes.index(axis)
    return spec.scale[i] * METRES[spec.units[i]] * 1e6


def check_slide(path, size, levels=1, others=1):
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), first(SLIDE))
    np.testing.assert_array_equal(source.levels()[0].read(), first(HALF))
    assert len(source.levels()) == levels
    assert micrometres(source.spec) == micrometres(source.spec, "y") == pytest.approx(size)
    assert micrometres(source.levels()[0].spec) == pytest.approx(2 * size)
    assert sum(f"of the {others + 1} in the file" in note for note in source.notes) == 1
    return source


def test_every_ending_is_read_listed_and_described(tmp_path):
    described = [ending for row in FORMATS for ending in row.endings]
    assert sorted(described) == sorted(file_endings())
    for ending in (".svs", ".NDPI", ".bmp", ".gif"):
        (tmp_path / f"a{ending}").write_bytes(b"")
    assert len(list_sources(tmp_path)) == 4


@pytest.mark.parametrize("name", ["a.svs", "a.tif"])
def test_aperio(tmp_path, name):
    about = "Aperio Image Library v12\r\n320x256 [0,0 320x256] (64x64) JPEG/RGB Q=70|AppMag = 40|MPP = 0.2520|Left = 9"
    with tifffile.TiffWriter(tmp_path / name) as tiff:
        tiff.write(SLIDE, description=about, **TILES)
        tiff.write(SMALL, description="Aperio thumbnail|MPP = 0.2520", **COLOUR)
        tiff.write(HALF, description=about, **TILES)
    check_slide(tmp_path / name, 0.252)
    thumbnail = open_source(f"{tmp_path / name}#Thumbnail")
    np.testing.assert_array_equal(thumbnail.read(), first(SMALL))
    assert thumbnail.spec.units == (None, None, None)
    with pytest.raises(SourceError, match=r"image '9'.*Thumbnail.*::0"):
        open_source(f"{tmp_path / name}#9")


def test_hamamatsu_has_its_size_in_the_resolution_tags(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ndpi") as tiff:
        for image, magnification in ((SLIDE, 20.0), (HALF, 10.0), (SMALL, -1.0)):
            tags = [(65420, 4, 1, 1, True), text(271, "Hamamatsu"), (65421, 11, 1, magnification, True)]
            tiff.write(image, extratags=tags, resolution=(4724, 4724), resolutionunit="CENTIMETER", **COLOUR)
    # 4724 per centimetre are also 12,000 dots per inch.
    path = tmp_path / "a.ndpi"
    path = path.rename(tmp_path / "a.tif")
    check_slide(path, 1e4 / 4724)


def test_leica_shows_its_overview_first(tmp_path):
    image = (
        '<image name="%s"><pixels sizeX="%d" sizeY="%d">%s</pixels><view sizeX="%d" sizeY="%d" offsetX="0" offsetY="0"/>'
        "</image>"
    )
    level = '<dimension sizeX="%d" sizeY="%d" r="%d" ifd="%d"/>'
    xml = '<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection name="c">' + (
        image % ("overview", 100, 40, level % (100, 40, 0, 0), 10_000_000, 4_000_000)
        + image % ("scan", 320, 256, level % (320, 256, 0, 1) + level % (160, 128, 1, 2), 80_000, 64_000)
        + "</collection></scn>"
    )
    with tifffile.TiffWriter(tmp_path / "a.scn", bigtiff=True) as tiff:
        tiff.write(SMALL, description=xml, **COLOUR)
        tiff.write(SLIDE, **TILES)
        tiff.write(HALF, **TILES)
    source = check_slide(tmp_path / "a.scn", 0.25)
    assert any("overview" in note and "::0" in note for note in source.notes)


def test_roche(tmp_path):
    scan = b'<EncodeInfo/><iScan Magnification="20" ScanRes="0.465"/>'
    with tifffile.TiffWriter(tmp_path / "a.bif", bigtiff=True) as tiff:
        tags = [(700, 1, len(scan), scan, True)]
        tiff.write(SMALL, description="Label Image", software="ScanOutputManager 1", extratags=tags, **COLOUR)
        tiff.write(SLIDE, description="level=0 mag=20 quality=90", **TILES)
        tiff.write(HALF, description="level=1 mag=10 quality=90", **TILES)
    source = check_slide(tmp_path / "a.bif", 0.465)
    assert any("not stitched" in note for note in source.notes)


def test_philips(tmp_path):
    spacing = (
        '<DataObject ObjectType="PixelDataRepresentation"><Attribute Name="DICOM_PIXEL_SPACING">"%s" "%s"'
        "</Attribute></DataObject>"
    )
    xml = f'<DataObject ObjectType="DPUfsImport"><Attribute Name="a"><Array>{spacing * 2}</Array></Attribute></DataObject>'
    xml %= ("0.00025", "0.00025", "0.0005", "0.0005")
    with tifffile.TiffWriter(tmp_path / "a.tiff", bigtiff=True) as tiff:
        tiff.write(SLIDE, software="Philips DP v1.0", description=xml, **TILES)
        tiff.write(HALF, **TILES)
        tiff.write(SMALL, description="Macro", **COLOUR)
    check_slide(tmp_path / "a.tiff", 0.25)


def test_akoya_names_its_channels(tmp_path):
    about = "<PerkinElmer-QPI-ImageDescription><Name>%s</Name></PerkinElmer-QPI-ImageDescription>"
    options = {**GREY, "tile": (64, 64), "compression": "zlib", "software": "PerkinElmer-QPI"}
    with tifffile.TiffWriter(tmp_path / "a.qptiff", bigtiff=True) as tiff:
        for pixels in (SLIDE, HALF):
            for i, name in enumerate(("DAPI", "CD3")):
                plane = np.ascontiguousarray(pixels[..., i])
                tiff.write(plane, description=about % name, resolution=(20_000,) * 2, resolutionunit=3, **options)
            if pixels is SLIDE:
                tiff.write(SMALL, software="PerkinElmer-QPI", **COLOUR)
    source = open_source(tmp_path / "a.qptiff")
    assert source.spec.channel_names == ("DAPI", "CD3")
    assert micrometres(source.spec) == pytest.approx(0.5)
    np.testing.assert_array_equal(source.read(), first(SLIDE[..., :2]))
    assert len(source.levels()) == 1


def test_zeiss_lsm(tmp_path):
    layout = np.dtype(tifffile.TIFF.CZ_LSMINFO)
    about = np.zeros(1, layout)[0]
    known = {"MagicNumber": 67127628, "StructureSize": layout.itemsize, "DimensionX": 80, "DimensionY": 64}
    known |= {"DimensionZ": 3, "DimensionChannels": 1, "DimensionTime": 1}
    for key, value in (known | {"VoxelSizeX": 2e-7, "VoxelSizeY": 2e-7, "VoxelSizeZ": 1e-6}).items():
        about[key] = value
    with tifffile.TiffWriter(tmp_path / "a.lsm") as tiff:
        for i in range(3):
            tags = [record(34412, about.tobytes())] if i == 0 else ()
            tiff.write(PLANE + np.uint16(i), extratags=tags, contiguous=False, **GREY)
            tiff.write(SMALL, subfiletype=1, contiguous=False, photometric="rgb", metadata=None)
    source = open_source(tmp_path / "a.lsm")
    assert source.spec.axes == ("z", "y", "x")
    assert [micrometres(source.spec, axis) for axis in "zyx"] == pytest.approx([1, 0.2, 0.2])
    np.testing.assert_array_equal(source.read(), np.stack([PLANE, PLANE + 1, PLANE + 2]))
    assert not source.notes


@pytest.mark.parametrize(("unit", "expected"), [("um", 0.65), ("pixel", None)])
def test_metamorph_stack(tmp_path, unit, expected):
    path = tmp_path / "a.stk"
    planes = np.zeros((3, 6), np.uint32)
    planes[:, :4] = [[15, 10, 2451545, 500 * i] for i in range(3)]
    tags = [(33628, 4, 8, (3, 1, 4, 0, 5, 0, 6, 0), True), (33629, 5, 9, tuple(planes.ravel().tolist()), True)]
    tifffile.imwrite(path, PLANE, extratags=tags, **GREY)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        calibration, distances = page.tags[33628], page.tags[33629]
        values, counts, start = calibration.valueoffset, (calibration.offset, distances.offset), page.dataoffsets[0]
    # Its counts are those of entries, not of numbers; its planes follow the first one without a page of their own.
    raw = bytearray(path.read_bytes()[:start]) + PLANE.tobytes() * 3
    for offset, count in zip(counts, (4, 3), strict=True):
        raw[offset + 4 : offset + 8] = struct.pack("<I", count)
    where = len(raw)
    raw += struct.pack("<II", 13, 20) + struct.pack("<I", len(unit) + 1) + unit.encode() + b"\0"
    raw[values : values + 32] = struct.pack("<8I", 3, 1, 4, where, 5, where, 6, where + 8)
    path.write_bytes(raw)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), np.stack([PLANE] * 3))
    assert micrometres(source.spec, "z") == pytest.approx(1.5)
    if expected:
        assert micrometres(source.spec) == pytest.approx(expected)
    else:
        assert source.spec.units[1:] == (None, None)


def test_metaxpress(tmp_path):
    values = {"state": ("bool", "on"), "x": ("float", "0.656"), "y": ("float", "0.656"), "units": ("string", "um")}
    props = "".join(
        f'<prop id="spatial-calibration-{key}" type="{kind}" value="{value}"/>' for key, (kind, value) in values.items()
    )
    xml = f"<MetaData><PlaneInfo>{props}</PlaneInfo></MetaData>"
    tifffile.imwrite(tmp_path / "a.tif", PLANE, description=xml, software="MetaSeries", resolution=(72, 72), **GREY)
    source = open_source(tmp_path / "a.tif")
    assert micrometres(source.spec) == pytest.approx(0.656)
    assert not source.notes


def test_fluoview(tmp_path):
    about = np.zeros(1, np.dtype(tifffile.TIFF.MM_HEADER))[0]
    for i, (name, size, step) in enumerate((("X", 80, 0.2), ("Y", 64, 0.3), ("Z", 3, 1.5))):
        about["Dimensions"][i] = (name.encode(), size, 0, step, b"um")
    tags = [record(34361, about.tobytes()), record(34362, bytes(64))]
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for _ in range(3):
            tiff.write(PLANE, extratags=tags, contiguous=False, **GREY)
    spec = open_source(tmp_path / "a.tif").spec
    assert [micrometres(spec, axis) for axis in "zyx"] == pytest.approx([1.5, 0.3, 0.2])


def test_opera_flex(tmp_path):
    xml = b'<Root><ImageResolutionX Unit="m">6.46E-07</ImageResolutionX><ImageResolutionY Unit="m">6.46E-07</ImageResolutionY></Root>'
    tifffile.imwrite(tmp_path / "a.flex", np.stack([PLANE] * 2), extratags=[record(65200, xml)], **GREY)
    assert micrometres(open_source(tmp_path / "a.flex").spec) == pytest.approx(0.646)


def test_pages_of_different_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(SMALL, **COLOUR)
        tiff.write(SLIDE, **COLOUR)
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(source.read(), first(SLIDE))
    assert any("image 1 of the 2" in note and "a.tif::0" in note for note in source.notes)


def test_the_tag_of_the_missing_decoder(tmp_path):
    if "imagecodecs" in str(tifffile.tifffile.imagecodecs) and hasattr(tifffile.tifffile.imagecodecs, "jpeg_decode"):
        pytest.skip("imagecodecs is installed")
    from PIL import Image

    Image.fromarray(SLIDE).save(tmp_path / "a.tif", compression="jpeg")
    with pytest.raises(SourceError, match="pip install imagecodecs"):
        open_source(tmp_path / "a.tif").read()
