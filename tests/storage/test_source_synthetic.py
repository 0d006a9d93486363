"""Synthetic sources: any box is the crop of the whole, and the labels are the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_s1omni.errors import JobError, SourceError
from napari_s1omni.storage.source import open_source


@pytest.mark.parametrize(
    "uri",
    [
        "synthetic://nuclei?shape=300,400&seed=3&diameter=17.5",
        "synthetic://nuclei-labels?shape=300,400&seed=3&diameter=17.5",
        "synthetic://ellipses?shape=9,120,110&scale=2,1,0.5&diameter=20&dtype=float32",
        "synthetic://ellipses-labels?shape=9,120,110&scale=2,1,0.5&diameter=20",
        "synthetic://nuclei?shape=2,3,6,60,70&dtype=uint8",
        "synthetic://nuclei?shape=5,60,2,70&axes=zycx",
    ],
    ids=lambda uri: uri.partition("//")[2].partition("&")[0],
)
def test_any_box_is_the_crop_of_the_whole(uri):
    source = open_source(uri)
    whole = source.read()
    assert whole.shape == source.spec.shape
    assert whole.any()
    rng = np.random.default_rng(0)
    for _ in range(6):
        ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in source.spec.shape]
        box = tuple(slice(int(a), int(b)) for a, b in ends)
        np.testing.assert_array_equal(open_source(uri).read(box), whole[box])


def test_a_large_box_equals_its_parts():
    source = open_source("synthetic://ellipses?shape=1200,700&diameter=30")
    whole = source.read()
    for y in range(0, 1200, 300):
        np.testing.assert_array_equal(source.read((slice(y, y + 300), slice(0, 700))), whole[y : y + 300])


@pytest.mark.parametrize("kind", ["nuclei", "ellipses"])
def test_labels_are_what_is_bright(kind):
    settings = "shape=256,256&seed=5&diameter=24&noise=0"
    image = open_source(f"synthetic://{kind}?{settings}").read()
    labels = open_source(f"synthetic://{kind}-labels?{settings}").read()
    assert image[labels > 0].min() > image[labels == 0].min()
    np.testing.assert_array_less(image[labels == 0], 450)
    assert labels.dtype == np.uint32
    assert open_source(f"synthetic://{kind}-labels?{settings}").spec.kind == "labels"


def test_objects_have_the_size_asked_for():
    labels = open_source("synthetic://nuclei-labels?shape=1000,1000&diameter=20&spacing=40").read()
    areas = np.bincount(labels.ravel())[1:]
    inner = areas[areas > 0]
    assert np.median(inner) == pytest.approx(np.pi * 100, rel=0.1)
    assert len(inner) == pytest.approx(0.8 * 625, rel=0.1)


def test_ellipses_touch_and_stay_apart_by_id():
    labels = open_source("synthetic://ellipses-labels?shape=400,400&diameter=30").read()
    pairs = np.concatenate(
        [labels[:, :-1].ravel() * 10_000 + labels[:, 1:].ravel(), labels[:-1].ravel() * 10_000 + labels[1:].ravel()]
    )
    a, b = np.unique(pairs) // 10_000, np.unique(pairs) % 10_000
    touching = np.unique(a[(a != b) & (a > 0) & (b > 0)])
    assert len(touching) > 0.8 * len(np.unique(labels))
    fused = ndimage.label(labels > 0)[1]
    assert fused < 0.2 * len(np.unique(labels)), "a threshold alone would fuse them"


def test_seed_time_and_channel_change_the_scene_but_not_the_objects_of_a_channel():
    one = open_source("synthetic://nuclei?shape=2,2,1,80,80&seed=1&noise=0").read()
    other = open_source("synthetic://nuclei?shape=2,2,1,80,80&seed=2&noise=0").read()
    assert (one != other).any()
    assert (one[0] != one[1]).any()
    assert (one[0, 0] != one[0, 1]).any()
    labels = open_source("synthetic://nuclei-labels?shape=2,2,1,80,80&seed=1").read()
    np.testing.assert_array_equal(one[0, 0][labels[0] == 0], one[0, 1][labels[0] == 0])


def test_round_in_physical_units():
    labels = open_source(
        "synthetic://nuclei-labels?shape=40,160,160&scale=2,0.5,0.5&diameter=40&spacing=80&seed=2"
    ).read()
    boxes = [
        b
        for b in ndimage.find_objects(labels)
        if b and all(0 < p.start and p.stop < n for p, n in zip(b, labels.shape, strict=True))
    ]
    heights = [(b[0].stop - b[0].start) * 2.0 for b in boxes]
    widths = [(b[2].stop - b[2].start) * 0.5 for b in boxes]
    assert np.mean(heights) == pytest.approx(np.mean(widths), rel=0.25)


def test_one_plane_holds_objects():
    assert open_source("synthetic://nuclei-labels?shape=1,200,200&diameter=20").read().max() > 20


def test_a_volume_far_beyond_memory_opens_at_once():
    source = open_source("synthetic://nuclei?shape=1000,20000,2000000&diameter=20&chunk=512")
    assert source.spec.nbytes > 10**13
    assert source.chunks == (1, 512, 512)
    assert source.read((slice(500, 501), slice(10_000, 10_064), slice(1_999_900, 1_999_964))).std() > 0


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("synthetic://nuclei?shape=9,9&diametre=3", "Did you mean 'diameter'"),
        ("synthetic://cats?shape=9,9", "kind"),
        ("synthetic://nuclei", "shape"),
        ("synthetic://nuclei?shape=9,9&axes=zyx", "axes"),
        ("synthetic://nuclei?shape=9,0", "above 0"),
        ("synthetic://nuclei?shape=9,9&shape=8,8", "twice"),
        ("synthetic://ellipses?shape=90,90&diameter=20&spacing=5", "at least"),
    ],
)
def test_wrong_settings_are_named(uri, words):
    with pytest.raises(JobError, match=words):
        open_source(uri)


def test_no_pyramid():
    with pytest.raises(SourceError, match="no pyramid"):
        open_source("synthetic://nuclei?shape=90,90", level=1)
