"""An editor whose second output was trained says how far to trust what it draws; otherwise nothing is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import parts_config, write_folder

import napari_s1omni
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.engine.s1omni.description import describe
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel
from napari_s1omni.engine.s1omni.editor.trust import expected_error
from napari_s1omni.results.result import Result

EDITOR: dict[str, Any] = {
    "_class_name": "FilmUNet2DModel",
    "in_channels": 24,
    "out_channels": 12,
    "block_out_channels": [16, 24],
    "layers_per_block": 1,
    "cross_attention_dim": 16,
    "attention_head_dim": 8,
    "trust_channels": 12,
}
OPTIONS: dict[str, Any] = {"tile_size": 32, "overlap": 8, "num_inference_steps": 1}


@pytest.fixture(scope="module")
def folders(backbone, tmp_path_factory):
    """The same weights, with a second output that counts as trained and with one that does not."""
    found = []
    for trained in (True, False):
        config = parts_config(transformer_config=EDITOR, vae_config={"_class_name": "PixelUnshuffleCodec", "factor": 2})
        config["denoising"] = {**config["denoising"], "trust": trained}
        torch.manual_seed(6)
        unet = FilmUNet2DModel.from_config(EDITOR)
        # Half an error in masks; from -0.2 to 0.4 in images.
        planes = torch.tensor([np.log(0.5), -0.2, 0.4]).repeat_interleave(4)
        with torch.no_grad():
            unet.trust_out.bias.copy_(planes)
        alignment = Connector(CheckpointConfig.model_validate(config).alignment_layer)
        parts = {"alignment": alignment, "transformer": unet}
        folder = tmp_path_factory.mktemp("trust")
        found.append(str(write_folder(folder, backbone, config, parts, named_family=False)))
    return found


@pytest.fixture(scope="module")
def picture():
    return (np.random.default_rng(3).random((80, 56)) * 4000).astype(np.uint16)


def test_the_error_to_expect_is_a_quality_map(folders, picture, tmp_path):
    for operation, error, options in (("segment", 0.5, {"prompt": "nuclei"}), ("super_resolve", 0.3, {"factor": 2})):
        run = getattr(napari_s1omni, operation)
        output = tmp_path / f"{operation}.zarr"
        run(picture, engine=folders[0], output=output, **options, **OPTIONS)
        result = Result.open(output)
        assert result.plan.engine.expects_error
        assert result.expected_error.shape == result.array.shape
        np.testing.assert_array_equal(np.asarray(result.expected_error[...]), round(255 * error))
        # Its digest is in the journal, as for the other maps, so a damaged map is computed again.
        assert run(picture, engine=folders[0], output=output, **options, **OPTIONS).complete


def test_nothing_is_shown_before_it_is_trained(folders, picture, tmp_path):
    assert not describe(folders[1]).expects_error
    assert "expects_error" not in describe(folders[1]).to_json()["identity"]
    assert not describe("nano").expects_error
    napari_s1omni.segment(picture, prompt="nuclei", engine=folders[1], output=tmp_path / "o.zarr", **OPTIONS)
    result = Result.open(tmp_path / "o.zarr")
    assert result.expected_error is None
    assert not (tmp_path / "o.zarr/.s1omni/quality/expected_error").exists()


def test_both_draw_the_same(folders, picture):
    a, b = (napari_s1omni.super_resolve(picture, factor=2, engine=folder, **OPTIONS).array[:] for folder in folders)
    np.testing.assert_array_equal(a, b)


def test_errors_are_at_most_the_whole_range():
    planes = torch.tensor([9.0, -3.0, 5.0]).view(1, 3, 1, 1)
    assert expected_error(planes, True).item() == 1
    assert expected_error(planes, False).item() == 1
