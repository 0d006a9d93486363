"""How like the known images an image is: features that suit any tile, a bank with conformal p-values, the shipped bank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_s1omni.engine.familiarity.bank import BANK_NAME, LEAST, Bank, Familiarity, engine_that_does_not_know
from napari_s1omni.engine.familiarity.features import COUNT, describe_tile, describe_tiles
from napari_s1omni.engine.s1omni.checkpoint.model_store import MODELS
from napari_s1omni.errors import CheckpointError
from napari_s1omni.evaluation.nano.familiarity import image_features
from napari_s1omni.evaluation.nano.strange_images import strange_images
from napari_s1omni.evaluation.single_images import spread
from napari_s1omni.training.data.real_fields import read_raw_pair
from napari_s1omni.training.data.split import FIELDS, read_split

DATA = Path(__file__).parents[3] / "shared/data"


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (30, 31), (256, 256)])
def test_any_tile_has_finite_features(shape):
    rng = np.random.default_rng(0)
    tiles = [np.zeros((3, *shape)), np.ones((3, *shape)), rng.random((3, *shape)), np.full((3, *shape), np.nan)]
    features = describe_tiles([tile.astype(np.float32) for tile in tiles])
    assert features.shape == (4, COUNT)
    assert np.isfinite(features).all()


def test_the_colour_of_the_lamp_does_not_count_but_that_of_the_stain_does():
    rng = np.random.default_rng(1)
    amount = rng.random((1, 64, 64)).astype(np.float32)
    amount[:, :16] = 0
    violet, brown = (
        10 ** -(amount * np.reshape(c, (3, 1, 1))).astype(np.float32) for c in ((0.65, 0.7, 0.29), (0.27, 0.57, 0.78))
    )
    lamp = np.reshape(np.float32([1, 0.93, 0.85]), (3, 1, 1))
    plain, warm, other = (describe_tile(np.asarray(image, np.float32)) for image in (violet, violet * lamp, brown))
    colours = slice(COUNT - 15, COUNT - 1)
    assert np.abs(plain - warm)[colours].max() < 0.05
    assert np.abs(plain - other)[colours].max() > 0.3


def small_bank() -> Bank:
    rng = np.random.default_rng(2)
    tiles = rng.normal(size=(40, 3))
    # Images in colour, with the largest distances, do not count for the grey ones of this test.
    held_out = np.concatenate([np.linspace(0.2, 1.4, 99), np.full(50, 9e9)]).astype(np.float32)
    axes = np.eye(COUNT, 3, dtype=np.float32)
    return Bank(
        tiles=tiles.astype(np.float16),
        sources=np.repeat([0, 1], 20).astype(np.uint8),
        centre=np.zeros(COUNT, np.float32),
        axes=axes,
        held_out=held_out,
        coloured=held_out > 1e9,
    )


def test_p_value_is_the_share_of_held_out_images_that_lie_as_far(tmp_path):
    bank = small_bank()
    bank.write(tmp_path / BANK_NAME)
    read = Bank.read(tmp_path / BANK_NAME)
    near = np.zeros((4, COUNT), np.float32)
    far = near.copy()
    far[:, :3] = 50
    assert read.distance(near) == bank.distance(near) < read.distance(near, without=0)
    assert read.p_value(far) == pytest.approx(1 / 100)
    farther = (read.held_out[:99] >= read.distance(near)).sum()
    assert read.p_value(near) == pytest.approx((1 + farther) / 100)
    assert bank.is_far(far)
    assert not bank.is_far(near)
    # A few odd tiles do not decide.
    assert read.p_value(np.concatenate([near[:3], far[:1]])) == read.p_value(near)


def test_a_damaged_bank_is_named(tmp_path):
    (tmp_path / BANK_NAME).write_bytes(b"PK nothing")
    with pytest.raises(CheckpointError, match=BANK_NAME):
        Bank.read(tmp_path / BANK_NAME)


def test_notes_say_which_engine_does_not_know_an_image():
    like, unlike = Familiarity("nano", 0.43), Familiarity("/a folder/net", 0.0071)
    assert like.words == "the image is like those that nano was trained on (p 0.43)"
    assert unlike.words == "the image is unlike those that /a folder/net was trained on (p 0.0071)"
    assert engine_that_does_not_know(["x", f"'auto' chose reference: {unlike.words}."]) == "/a folder/net"
    assert engine_that_does_not_know([like.words, ""]) is None


@pytest.fixture(scope="module")
def shipped() -> Bank:
    path = MODELS["nano"].folder / BANK_NAME
    assert path.stat().st_size < 400_000
    return Bank.read(path)


def test_photographs_text_noise_and_blanks_are_unfamiliar_to_nano(shipped):
    pytest.importorskip("skimage")
    p = {f"{kind} {name}": shipped.p_value(image_features(pixels)) for kind, name, pixels in strange_images()}
    familiar = {name for name, value in p.items() if value >= LEAST}
    assert len(familiar) <= 0.1 * len(p), familiar
    assert not {name for name in familiar if name.split()[0] in ("blank", "saturated", "text", "noise", "no", "other")}


@pytest.mark.skipif(not (DATA / FIELDS).is_file(), reason=f"needs the data in {DATA}")
@pytest.mark.parametrize("source", ["bbbc039_u2os", "dsb2018_fluo_520x696"])
def test_nuclei_of_other_microscopes_are_familiar_to_nano(shipped, source):
    folder = f"seg2d_nuclei/{source}"
    stems = spread(sorted(read_split(DATA)[folder]["unseen"]), 6)
    p = [shipped.p_value(image_features(read_raw_pair(DATA, folder, stem)[0])) for stem in stems]
    assert np.mean(np.array(p) >= LEAST) >= 0.8
