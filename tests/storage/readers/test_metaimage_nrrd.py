"""MetaImage and NRRD: pixels, place, units, and files that are damaged."""

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
import SimpleITK

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.medical import itk_files
from napari_s1omni.storage.source import open_source

TURNED = (0.955336489125606, -0.29552020666133955, 0, 0.29552020666133955, 0.955336489125606, 0, 0, 0, 1)
VOXELS = np.random.default_rng(0).integers(-500, 3000, (5, 40, 30)).astype(np.int16)
BOX = (slice(1, 3), slice(10, 40), slice(0, 7))


def save(path, voxels=VOXELS, direction=None, compressed=False, **options):
    image = SimpleITK.GetImageFromArray(voxels, **options)
    image.SetSpacing((0.5, 0.7, 2.0, 1.5)[: image.GetDimension()])
    image.SetOrigin((1.0, 2.0, 3.0, 0.0)[: image.GetDimension()])
    if direction is not None:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path), compressed)
    return path


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("compressed", [False, True])
def test_voxels_sizes_and_place(tmp_path, name, compressed):
    source = open_source(save(tmp_path / name, compressed=compressed))
    assert source.spec.axes == ("z", "y", "x")
    assert source.spec.scale == pytest.approx((2.0, 0.7, 0.5))
    assert source.spec.units == ("millimeter",) * 3
    assert source.spec.translate == (3.0, 2.0, 1.0)
    np.testing.assert_array_equal(source.read(BOX), VOXELS[BOX])
    np.testing.assert_array_equal(source.read(), VOXELS)
    assert any("decoded into memory" in note for note in source.notes) == compressed
    assert open_source(source.spec.source).spec == source.spec


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_rotated_axes_are_said(tmp_path, name):
    source = open_source(save(tmp_path / name, direction=TURNED))
    assert any("direction cosines x (0.955, 0.296, 0), y (-0.296, 0.955, 0)" in note for note in source.notes)
    assert source.spec.translate == (0, 0, 0)
    np.testing.assert_array_equal(source.read(), VOXELS)
    patient = source.patient
    truth = SimpleITK.ReadImage(str(tmp_path / name))
    at = patient.part({"x": 7, "y": 11, "z": 3}, {}).origin
    assert at == pytest.approx(truth.TransformIndexToPhysicalPoint((7, 11, 3)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_types_and_dimensions(tmp_path, dtype):
    voxels = VOXELS.clip(0, 200).astype(dtype)
    for name, part in (("a.mha", voxels), ("b.mha", voxels[0]), ("c.nrrd", voxels[0])):
        source = open_source(save(tmp_path / name, part))
        assert source.spec.dtype == dtype
        np.testing.assert_array_equal(source.read(), part)


def test_colours_channels_and_time(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (3, 20, 30, 3)).astype(np.uint8)
    source = open_source(save(tmp_path / "a.mha", colours, isVector=True))
    assert source.spec.rgb
    np.testing.assert_array_equal(np.moveaxis(source.read(), 0, -1), colours)
    fields = np.random.default_rng(1).normal(size=(3, 20, 30, 2)).astype(np.float32)
    for name in ("b.mha", "b.nrrd"):
        source = open_source(save(tmp_path / name, fields, isVector=True))
        np.testing.assert_array_equal(np.moveaxis(source.read(), 0, -1), fields)
    movie = np.stack([VOXELS, VOXELS + 1])
    source = open_source(save(tmp_path / "c.mha", movie, isVector=False))
    assert source.spec.axes == ("t", "z", "y", "x")
    np.testing.assert_array_equal(source.read(), movie)
    assert any("fourth dimension is taken as time" in note for note in source.notes)


def test_units_that_the_header_names(tmp_path):
    path = save(tmp_path / "a.nrrd")
    head, _, body = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head + b'\nspace units: "um" "um" "um"\n\n' + body)
    source = open_source(path)
    assert source.spec.units == ("micrometer",) * 3
    np.testing.assert_array_equal(source.read(), VOXELS)
    assert source.patient.spacing == pytest.approx((0.0005, 0.0007, 0.002))
    path.write_bytes((head + b"\n\n" + body).replace(b"endian: little", b"endian: big"))
    np.testing.assert_array_equal(open_source(path).read(), VOXELS.byteswap())


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_voxels_are_an_error_not_noise(tmp_path, name, compressed):
    whole = bytearray(save(tmp_path / name, compressed=compressed).read_bytes())
    (tmp_path / name).write_bytes(whole[:-1000])
    with pytest.raises(SourceError, match=name):
        open_source(tmp_path / name).read()
    if compressed:
        whole[-2000] ^= 255
        (tmp_path / name).write_bytes(whole)
        with pytest.raises(SourceError, match="cannot be read as MetaImage or NRRD"):
            open_source(tmp_path / name).read()


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("content", [b"", b"no image at all " * 40, bytes(600)])
def test_what_is_of_another_format_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        open_source(tmp_path / name)


def test_a_missing_data_file_is_named(tmp_path):
    save(tmp_path / "a.mhd")
    (tmp_path / "a.raw").unlink()
    with pytest.raises(SourceError, match=r"keeps its voxels in a\.raw, which is missing"):
        open_source(tmp_path / "a.mhd")


def test_a_compressed_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.mha", compressed=True)
    monkeypatch.setattr(itk_files, "_MOST_WHOLE", 1000)
    with pytest.raises(SourceError, match=r"can only be decoded as a whole, since it is compressed"):
        open_source(path)
