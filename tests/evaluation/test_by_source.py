"""Scores by source: a row for each, and `auto` is not run twice."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from napari_s1omni.evaluation.nano import by_source
from napari_s1omni.frontends.cli.bench.scores.single_images import nuclei
from napari_s1omni.training.data.split import FIELDS


@pytest.fixture
def data(tmp_path):
    """One image of an unseen source, with discs as nuclei."""
    folder = tmp_path / "seg2d_nuclei/dsb2018_fluo_520x696"
    y, x = np.mgrid[:120, :160]
    labels = ndimage.label(np.hypot(y % 40 - 20, x % 40 - 20) < 9)[0]
    pixels = 20 + 150 * ndimage.gaussian_filter((labels > 0).astype(float), 1)
    for name, values in (("images", pixels.astype(np.uint8)), ("masks", labels.astype(np.uint8))):
        (folder / name).mkdir(parents=True)
        Image.fromarray(values).save(folder / name / "one.png")
    (tmp_path / FIELDS).write_text(
        "file\tfield\tfamily\tobjects\tfold\nseg2d_nuclei/dsb2018_fluo_520x696/images/one.png\tone\tfluo\t12\t0\n"
    )
    return tmp_path


def test_each_source_has_a_row_and_auto_says_what_it_chose(data, monkeypatch, capsys):
    monkeypatch.setenv("S1OMNI_AUTO", "reference")
    runs = []
    run = by_source.segment
    monkeypatch.setattr(by_source, "segment", lambda *a, **k: runs.append(k["engine"]) or run(*a, **k))
    nuclei(unseen=True, data=data, engine="auto")
    head, _, row, mean = capsys.readouterr().out.splitlines()
    assert head == "| source | images | objects | reference | auto | auto chose |"
    assert row == "| dsb2018_fluo_520x696 | 1 | 12 | 1.000 | 1.000 | reference 1 |"
    assert mean == "| mean | 1 | 12 | 1.000 | 1.000 |  |"
    assert runs == ["reference"]
