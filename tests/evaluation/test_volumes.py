"""A volume in blocks, compared with the same volume as a whole."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from typer.testing import CliRunner

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.volumes import STACKS, TOLERANCE, Volume, open_volumes, relink_planes, score_volume
from napari_s1omni.frontends.cli.bench import app
from napari_s1omni.operations import Segmentation

DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[3] / "shared" / "data")) / "seg3d"


@pytest.fixture
def balls():
    z, y, x = np.mgrid[:12, :48, :48]
    truth = np.zeros(z.shape, int)
    for i, (row, col) in enumerate([(12, 12), (12, 36), (36, 12), (36, 36)], 1):
        truth[(z - 6) ** 2 + (y - row) ** 2 + (x - col) ** 2 <= 64] = i
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    return (ndimage.gaussian_filter((truth > 0) * 1000.0, 1) + 100 + noise).astype(np.uint16), truth


def test_blocks_give_the_same_objects(balls):
    image, truth = balls
    found = score_volume(Volume("balls", image, truth, (1.0, 1.0, 1.0), "balls of about 14 px"))
    assert found.blocks >= 4
    assert found.objects == found.found_whole == found.found_blocks == 4
    assert found.ap_whole == found.ap_blocks == 1
    assert found.difference == 0


def test_stacks_are_found_in_their_folders(balls, tmp_path):
    image, truth = balls
    for part, pixels in (("images", image), ("masks", truth.astype(np.uint16))):
        (tmp_path / "stardist_synthetic3d" / part).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "stardist_synthetic3d" / part / "img3d.tif", pixels)
    (volume,) = open_volumes(tmp_path)
    assert volume.name == "stardist_synthetic3d"
    np.testing.assert_array_equal(volume.truth, truth)


def test_an_unreadable_stack_is_not_skipped_silently(tmp_path, monkeypatch):
    (tmp_path / "plantseg_nuclei").mkdir()
    (tmp_path / "plantseg_nuclei" / "1135_mini.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SourceError, match=r"1135_mini\.h5 is an HDF5 file.*napari-s1omni\[bench\]"):
        list(open_volumes(tmp_path))


def test_the_command_lists_missing_stacks(balls, tmp_path):
    image, truth = balls
    for part, pixels in (("images", image), ("masks", truth.astype(np.uint16))):
        (tmp_path / "stardist_synthetic3d" / part).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "stardist_synthetic3d" / part / "img3d.tif", pixels)
    kept = tmp_path / "scores.json"
    kept.write_text('{"other": {"stacks": {}}}')
    done = CliRunner().invoke(app, ["volumes", str(tmp_path), "--write", str(kept)])
    assert done.exit_code == 0, done.output
    assert "not measured: qcanet_mouse_embryo, plantseg_nuclei" in done.stderr
    assert "| stardist_synthetic3d | 4 | 1.000 | 1.000 | 8 |" in done.stdout
    scores = json.loads(kept.read_text())
    assert scores["reference"]["stacks"] == {"stardist_synthetic3d": {"objects": 4, "found": 4, "right": 4}}
    assert scores["other"] == {"stacks": {}}
    assert CliRunner().invoke(app, ["volumes", str(tmp_path / "none")]).exit_code != 0


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real stacks at {DATA}; set S1OMNI_DATA")
@pytest.mark.parametrize(
    ("name", "gain"), [("qcanet_mouse_embryo", 0.3), ("plantseg_nuclei", 0.4), ("stardist_synthetic3d", 0.1)]
)
def test_the_planes_of_real_nuclei_are_linked(name, gain):
    """Without the containment rule, caps of a few pixels stay separate objects; without the other rules, nuclei that lie
    one above the other become one."""
    pytest.importorskip("h5py")
    (volume,) = (volume for volume in open_volumes(DATA) if volume.name == name)
    truth = volume.truth
    (found,), (without,) = (metrics.match(truth, relink_planes(truth, containment=share)) for share in (0.7, 2.0))
    assert found.average_precision > without.average_precision + gain
    spec = LayerSpec(truth.shape, tuple("zyx"), "uint16", scale=volume.scale, units=("micrometer",) * 3)
    (ruled,) = metrics.match(truth, relink_planes(truth, Segmentation(prompt=volume.prompt).stack_rule(spec)))
    assert ruled.average_precision >= 0.95


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real stacks at {DATA}; set S1OMNI_DATA")
@pytest.mark.slow
def test_a_real_stack_in_blocks_scores_as_the_whole():
    pytest.importorskip("h5py")
    stacks = {volume.name: volume for volume in open_volumes(DATA)}
    assert set(stacks) == set(STACKS)
    found = score_volume(stacks["qcanet_mouse_embryo"])
    assert found.blocks >= 4
    assert found.ap_whole > 0.4
    assert abs(found.difference) <= TOLERANCE
