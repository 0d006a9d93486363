"""The demo: three operations with at least four blocks each, and a figure."""

import numpy as np
import pytest
from PIL import Image

from napari_s1omni import Result
from napari_s1omni.frontends.cli.demo.demo import EXAMPLES, _run


def test_demo(s1omni, tmp_path):
    done = s1omni("demo", "here", "-q")
    assert done.code == 0, done.err
    kinds = set()
    for path in sorted((tmp_path / "here").glob("*.zarr")):
        result = Result.open(path)
        assert result.complete
        assert len(result.records) >= 4
        assert str(path.relative_to(tmp_path)) in done.out
        kinds.add(result.plan.job.operation.type)
    assert kinds == {"segmentation", "super_resolution", "modality_translation"}
    assert "here/demo.png" in done.out
    picture = np.asarray(Image.open(tmp_path / "here/demo.png"))
    assert picture.shape[0] > 1000
    # Every panel of the first row has an image, and the margin is white.
    assert (picture[:20] == 255).all()
    assert picture[140:440, 60:1300].std() > 20
    before = (tmp_path / "here/coins.zarr/0/c/0/0").stat().st_mtime_ns
    assert s1omni("demo", "here", "-q").code == 0
    assert (tmp_path / "here/coins.zarr/0/c/0/0").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_user_s_demo_shows_every_coin(tmp_path, monkeypatch):
    monkeypatch.delenv("S1OMNI_AUTO")
    coins = next(example for example in EXAMPLES if example.name == "coins")
    result = _run(coins, tmp_path, "auto", quiet=True).result
    assert result.plan.engine.name == "nano"
    assert len(np.unique(result.array[...])) - 1 == 24
