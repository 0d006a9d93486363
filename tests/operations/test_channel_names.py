"""Channels are known by index and by name; names that several have are told apart."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError
from napari_s1omni.operations.channels import channel_index, channel_labels, read_channels

names = st.lists(
    st.sampled_from(["DAPI", "dapi", "", " ", "DAPI-0", "DAPI-2", "0", "1", "2", "CD3, 405 nm", "a/b", "Grün", "x y"])
    | st.text(max_size=4),
    min_size=1,
    max_size=6,
)


def layer(*channels):
    return LayerSpec((len(channels), 4, 4), ("c", "y", "x"), "uint8", channel_names=channels)


def same_letters(name):
    return unicodedata.normalize("NFKC", name.strip()).casefold()


@settings(deadline=None, max_examples=100)
@example(["DAPI", "DAPI", "DAPI-0", "DAPI-0"])
@example(["\u00b5m", "\u03bcm"])
@given(names)
def test_every_channel_has_its_own_label_and_is_found_by_it(channels):
    spec = layer(*channels)
    labels = channel_labels(spec)
    assert len({label.casefold() for label in labels}) == len(channels)
    assert all(labels)
    for c, (name, label) in enumerate(zip(channels, labels, strict=True)):
        assert channel_index(c, spec) == channel_index(label, spec) == c
        alone = [same_letters(other) for other in channels].count(same_letters(name)) == 1
        if name.strip() and alone:
            assert label == name.strip()
            assert channel_index(name, spec) == c


def test_a_name_of_several_channels_is_a_question():
    spec = layer("DAPI", "CD3", "DAPI")
    assert channel_labels(spec) == ("DAPI-0", "CD3", "DAPI-2")
    assert channel_index("DAPI-2", spec) == 2
    assert channel_index("cd3", spec) == 1
    with pytest.raises(PlanError, match="indices are 0, 2"):
        channel_index("dapi", spec)
    assert channel_index("DAPI", layer("dapi", "DAPI")) == 1
    with pytest.raises(PlanError, match="0 to 2 or DAPI-0, CD3, DAPI-2"):
        channel_index("GFP", spec)


def test_letters_count_however_they_are_encoded():
    spec = layer("Z\u00e4hler \u00b5", "CD3")
    assert channel_index("Za\u0308hler \u03bc", spec) == 0
    assert channel_index("z\u00e4hler \u00b5", spec) == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0,2", [0, 2]),
        ("DAPI", ["DAPI"]),
        (" 1 , no ,Grün/x", [1, "no", "Grün/x"]),
        ('"CD3, 405 nm",0', ["CD3, 405 nm", 0]),
        ('"1"', ["1"]),
    ],
)
def test_channels_on_the_command_line(text, found):
    assert read_channels(text) == found
