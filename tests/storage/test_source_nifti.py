"""NIfTI: axes, pixel size from the affine, scaling, and the message without nibabel."""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

nibabel = pytest.importorskip("nibabel")


def save(path, array, affine, **header):
    volume = nibabel.Nifti1Image(array, affine)
    volume.header.set_xyzt_units("mm", "sec")
    for key, value in header.items():
        volume.header[key] = value
    nibabel.save(volume, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_first_dimension_is_x_and_the_affine_gives_the_pixel_size(tmp_path, name):
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    affine = np.array([[0.5, 0, 0, 10], [0, 0.75, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
    source = open_source(save(tmp_path / name, array, affine))
    assert source.spec.axes == ("z", "y", "x")
    assert source.spec.scale == pytest.approx((3.0, 0.75, 0.5))
    assert source.spec.translate == pytest.approx((30, 20, 10))
    assert source.spec.units == ("millimeter",) * 3
    assert source.spec.dtype == "int16"
    np.testing.assert_array_equal(source.read(), array.T)
    box = (slice(1, 3), slice(0, 2), slice(3, 4))
    np.testing.assert_array_equal(source.read(box), array.T[box])


def test_time_and_labels_and_scaling(tmp_path):
    array = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    source = open_source(
        save(tmp_path / "t.nii", array, np.eye(4), intent_code=1002, pixdim=[1, 1, 1, 1, 2.5, 1, 1, 1])
    )
    assert source.spec.axes == ("t", "z", "y", "x")
    assert source.spec.scale[0] == 2.5
    assert source.spec.units[0] == "second"
    assert source.spec.kind == "labels"
    np.testing.assert_array_equal(source.read(), array.T)
    volume = nibabel.Nifti1Image(array[..., 0], np.eye(4))
    volume.header.set_slope_inter(2.0, -10.0)
    nibabel.save(volume, tmp_path / "s.nii")
    scaled = open_source(tmp_path / "s.nii")
    assert scaled.spec.dtype == "float64"
    assert any("scales the voxels" in note for note in scaled.notes)
    np.testing.assert_allclose(scaled.read(), array[..., 0].T * 2.0 - 10.0)


def test_a_mirrored_affine_is_noted(tmp_path):
    source = open_source(save(tmp_path / "m.nii", np.zeros((4, 5, 6), np.uint8), np.diag([-2.0, 2, 2, 1])))
    assert source.spec.scale == (2.0, 2.0, 2.0)
    assert any("mirrors" in note and "LAS" in note for note in source.notes)


def test_damaged_files(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match=r"a\.nii cannot be read"):
        open_source(tmp_path / "a.nii")
    path = save(tmp_path / "b.nii.gz", np.random.default_rng(0).random((20, 20, 20)), np.eye(4))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(SourceError, match=r"b\.nii\.gz"):
        open_source(path).read()


def test_without_nibabel_it_says_what_to_install(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii", np.zeros((4, 5, 6), np.uint8), np.eye(4))
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("nibabel"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "napari_s1omni.storage.readers.nifti", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SourceError, match=r"napari-s1omni\[medical\]"):
        open_source(path)
