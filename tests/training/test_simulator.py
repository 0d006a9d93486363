"""Simulated scenes match their truth."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_s1omni.engine.denoising import plane_noise
from napari_s1omni.training.data.pool import prepare, read_pool, simulated_fields, write_pool
from napari_s1omni.training.data.simulation.shapes import border_distance


@pytest.fixture(scope="module")
def scenes():
    return simulated_fields(11, 100)


def test_same_seed_same_scenes(scenes):
    again = simulated_fields(11, 3)
    for a, b in zip(scenes, again, strict=False):
        assert np.array_equal(a.image, b.image)
        assert all(np.array_equal(x.labels, y.labels) for x, y in zip(a.layers, b.layers, strict=True))


def test_every_kind_occurs_and_some_tiles_are_empty(scenes):
    kinds = Counter(scene.dataset for scene in scenes)
    tissue = {"thick section", "overlapping", "second stain", "no microscopy"}
    assert set(kinds) == {"plain", "sizes", "polarities", "cells", "histology", "axons"} | tissue
    assert any(not scene.layers[0].labels.any() for scene in scenes)


def test_a_page_or_a_photograph_has_no_objects(scenes):
    others = [scene for scene in scenes if scene.dataset == "no microscopy"]
    assert others
    assert not any(scene.layers[0].labels.any() for scene in others)


def test_nuclei_of_a_second_stain_are_blue_and_their_surroundings_brown(scenes):
    for scene in (s for s in scenes if s.dataset == "second stain" and s.layers[0].labels.any()):
        red, _, blue = (plane[scene.layers[0].labels > 0].mean() for plane in scene.image)
        assert blue > red


def test_nuclei_out_of_focus_are_not_labelled(scenes):
    """Beside the labelled nuclei, the light of a thick section has no sharp edges."""
    for scene in (s for s in scenes if s.dataset == "thick section" and s.blur < 0.6 and s.noise < 0.03):
        inside = scene.layers[0].labels > 0
        edges = np.hypot(*np.gradient(scene.image[0]))
        if 0.02 < inside.mean() < 0.5:
            assert np.median(edges[inside]) > np.median(edges[~inside])


def test_polarity_is_visible(scenes):
    for scene in (s for s in scenes if s.dataset == "polarities"):
        bright, dark = (scene.image[0][layer.labels > 0] for layer in scene.layers)
        if bright.size > 50 and dark.size > 50:
            assert bright.mean() > dark.mean()


def test_the_two_kinds_of_a_scene_differ_as_their_names_say(scenes):
    def diameter(labels):
        area = np.bincount(labels.ravel())[1:]
        return np.sqrt(np.median(area[area > 0]))

    for scene in (s for s in scenes if s.dataset == "sizes" and all(x.labels.any() for x in s.layers)):
        small, large = scene.layers
        assert diameter(small.labels) < 0.7 * diameter(large.labels)
        assert not (small.labels.astype(bool) & large.labels.astype(bool)).any()
    for scene in (s for s in scenes if s.dataset == "cells"):
        nuclei, cells = scene.layers
        assert (cells.labels[nuclei.labels > 0] == nuclei.labels[nuclei.labels > 0]).all()


def test_noise_is_as_stated(scenes):
    sharp = [s for s in scenes if s.dataset == "plain" and s.noise > 0.05]
    assert sharp
    for scene in sharp:
        # The noise grows with the signal, from 0.7 to 1.2 times the stated level.
        assert 0.55 < plane_noise(scene.image.mean(0)) / scene.noise < 1.5


def test_touching_objects_have_a_border_between_them():
    labels = np.zeros((9, 20), np.uint16)
    labels[1:8, 1:10] = 1
    labels[1:8, 10:19] = 2
    assert border_distance(labels)[4, 9] <= 1
    assert border_distance(labels)[4, 5] > border_distance(labels)[4, 9]


def test_a_pool_reads_back_as_it_was_written(tmp_path, scenes):
    prepared = [prepare(scene) for scene in scenes[:6]]
    write_pool(tmp_path / "pool.safetensors", prepared)
    back = read_pool(tmp_path / "pool.safetensors")
    for a, b in zip(prepared, back, strict=True):
        assert np.array_equal(a.image, b.image)
        assert (a.field.dataset, a.field.noise, a.field.blur) == (b.field.dataset, b.field.noise, b.field.blur)
        assert [x.noun for x in a.field.layers] == [x.noun for x in b.field.layers]
        assert all(np.array_equal(x, y) for x, y in zip(a.distances, b.distances, strict=True))
        assert set(a.field.pairs) == set(b.field.pairs)
