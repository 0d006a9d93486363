"""Masks that an engine draws as translucent red over its source, and the instruction for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.evaluation.overlay_masks import WAYS, paint_and_read, score_overlay
from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.operation import FinishContext
from napari_s1omni.operations.overlay import FILL, FILL_AND_LINE, has_lines

SIZE = 96
ONE = Normalization((0.0,), (1.0,))
RED = np.array([1, 0, 0], np.float32)[:, None, None]


def _discs():
    y, x = np.mgrid[:SIZE, :SIZE]
    centres = [(24, 24, 12), (24, 70, 8), (68, 30, 15), (72, 74, 10)]
    return np.any([(y - cy) ** 2 + (x - cx) ** 2 <= r**2 for cy, cx, r in centres], axis=0)


def _source(kind):
    """A grey picture from black to white, or a reddish one (as of eosin), with noise that leaves 0..1."""
    grey = np.random.default_rng(0).normal(np.linspace(0, 1, SIZE), 0.05, (SIZE, SIZE)).astype(np.float32)
    return np.stack([grey, grey, grey] if kind == "grey" else [0.5 + 0.5 * grey, 0.6 * grey, 0.7 * grey])


def _laid_half(source):
    return 0.5 * source + 0.5 * RED


def _laid_as_seen(source):
    """As the released model was seen to lay it over grey; see MARK_THRESHOLD."""
    return np.stack([0.67 * source[0] + 0.33, 0.49 * source[1] + 0.10, 0.49 * source[2] + 0.10])


@pytest.mark.parametrize("mark", [None, FILL, FILL_AND_LINE], ids=["unnamed", "fill", "fill and line"])
@pytest.mark.parametrize(("kind", "lay"), [("grey", _laid_half), ("grey", _laid_as_seen), ("reddish", _laid_half)])
def test_what_was_marked_is_found(kind, lay, mark):
    source, marked = _source(kind), _discs()
    shown = np.clip(source, 0, 1)
    drawn = np.where(marked, lay(shown), shown)
    # An autoencoder gives no px back exactly.
    drawn = (drawn + np.random.default_rng(1).normal(0, 0.01, drawn.shape)).astype(np.float32)
    fields = Segmentation().decode(drawn, source, "overlay", mark)
    found = fields[0] >= 0.5
    assert (found & marked).sum() / (found | marked).sum() > 0.95
    assert fields.shape == (3, SIZE, SIZE)
    assert fields.dtype == np.float32
    assert fields.min() >= 0
    assert fields.max() <= 1
    labels = LayerSpec(shape=(SIZE, SIZE), axes=("y", "x"), dtype="uint32", kind="labels")
    objects = Segmentation().finish(fields[:, None], FinishContext(ONE, (0,), labels, mark=mark)).pixels
    assert objects.max() == 4


@pytest.mark.parametrize("way", WAYS)
def test_halves_of_a_disc_stay_apart_only_with_a_line(way):
    """Nothing in the shape of a disc says that it is two objects, a large and a small one."""
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = (y - 48) ** 2 + (x - 48) ** 2 <= 20**2
    truth = np.where(disc, 1 + (x > 56), 0).astype(np.int32)
    small = (truth == 2).sum() / (truth == 1).sum()
    assert small < 0.5
    found = paint_and_read(_source("grey"), truth, way, "slight")
    if way == "filled":
        assert found.max() == 1
        return
    assert found.max() == 2
    for number in (1, 2):
        overlaps = [((found == k) & (truth == number)).sum() / ((found == k) | (truth == number)).sum() for k in (1, 2)]
        assert max(overlaps) > 0.8


@pytest.mark.parametrize("kind", ["grey", "reddish"])
def test_where_nothing_was_marked_nothing_is_found(kind):
    """Red of the source itself is no mark, and neither is what lies outside of what the engine saw."""
    source = _source(kind)
    assert not (Segmentation().decode(np.clip(source, 0, 1), source, "overlay")[0] >= 0.5).any()
    assert Segmentation().decode(np.clip(source, 0, 1), source, "overlay")[2].max() == 0


def test_the_instruction_states_the_mark_that_is_looked_for():
    spec = LayerSpec(shape=(SIZE, SIZE), axes=("y", "x"), dtype="uint8")
    overlay, fields = (Segmentation().instruction(spec, 32, encoding).text for encoding in ("overlay", "fields"))
    assert f"Mark: {FILL_AND_LINE}\n" in overlay
    assert "R 255 G 0 B 0" in FILL_AND_LINE
    assert "half transparent" in FILL_AND_LINE
    assert Instruction.read(overlay).mark == FILL_AND_LINE
    assert "Mark:" not in fields


def test_every_set_is_scored(tmp_path):
    from PIL import Image

    truth = ndi.label(_discs())[0]
    for part, pixels in (("images", 255 * np.clip(_source("grey")[0], 0, 1)), ("masks", truth)):
        (tmp_path / "made" / part).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "made" / part / "one.png")
    (score,) = score_overlay(tmp_path)
    assert (score.name, score.images, score.objects, score.chosen_on) == ("made", 1, 4, False)
    assert {way: found["slight"] for way, found in score.found.items()} == dict.fromkeys(WAYS, 1.0)


def test_an_engine_that_draws_no_line_loses_no_more_than_before():
    """Two discs that barely touch: their shape alone separates them, whatever was asked for."""
    y, x = np.mgrid[:SIZE, :SIZE]
    marked = ((y - 48) ** 2 + (x - 30) ** 2 <= 19**2) | ((y - 48) ** 2 + (x - 66) ** 2 <= 19**2)
    source = _source("grey")
    shown = np.clip(source, 0, 1)
    drawn = np.where(marked, _laid_as_seen(shown), shown).astype(np.float32)
    fields = Segmentation().decode(drawn, source, "overlay", FILL_AND_LINE)
    assert not has_lines(fields)
    labels = LayerSpec(shape=(SIZE, SIZE), axes=("y", "x"), dtype="uint32", kind="labels")
    context = FinishContext(ONE, (0,), labels, mark=FILL_AND_LINE)
    assert Segmentation().finish(fields[:, None], context).pixels.max() == 2
