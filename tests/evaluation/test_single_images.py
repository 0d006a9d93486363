"""Scores of single images, on small ones with known scores."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.single_images import score_nuclei, score_restoration


def discs(seed):
    """Return twelve bright discs of 20 px and their labels."""
    y, x = np.mgrid[:150, :200]
    labels = np.zeros((150, 200), np.uint16)
    for i in range(12):
        labels[(y - 25 - 50 * (i // 4)) ** 2 + (x - 25 - 50 * (i % 4)) ** 2 <= 100] = i + 1
    noise = np.random.default_rng(seed).normal(0, 4, labels.shape)
    return np.clip(30 + 150 * (labels > 0) + noise, 0, 255).astype(np.uint8), labels


def test_sets_are_pooled_in_halves(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for i in range(2):
        image, labels = discs(i)
        # All annotations of the second image are wrong.
        tifffile.imwrite(tmp_path / f"set/masks/{i}.tif", labels if i == 0 else np.eye(150, 200, dtype=np.uint16))
        Image.fromarray(image).save(tmp_path / f"set/images/{i}.png")
    (scores,) = score_nuclei(tmp_path)
    assert (scores.name, scores.images, scores.objects) == ("set", 2, 13)
    assert scores.first_half == 1.0
    assert scores.second_half == 0.0
    assert 0.4 < scores.all < 0.6
    assert scores.tiled_to_whole > 0.9
    assert scores.fewest_blocks >= 4
    (one,) = score_nuclei(tmp_path, limit=1)
    assert one.images == 1


def test_a_restored_image_is_compared_with_bicubic(tmp_path):
    Image.fromarray(discs(0)[0]).save(tmp_path / "discs.png")
    (score,) = score_restoration(tmp_path)
    assert score.name == "discs.png"
    assert score.gain == score.ours - score.bicubic
    assert 15 < score.bicubic < 60


@pytest.mark.parametrize("measure", [score_nuclei, score_restoration])
def test_a_folder_without_images_is_refused(tmp_path, measure):
    with pytest.raises(SourceError, match="holds no"):
        list(measure(tmp_path))
