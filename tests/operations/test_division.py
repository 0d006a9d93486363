"""An engine's own parameters for splitting objects reach its masks; wrong ones are refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import DIVISION, Division
from napari_s1omni.engine.registry import describe
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.errors import CheckpointError
from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.operation import FinishContext
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve

SHAPE = (48, 96)
TARGET = LayerSpec(SHAPE, ("y", "x"), "uint32", kind="labels")
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def _cone(x, radius=14):
    return np.clip(1 - np.hypot(Y - 24, X - x) / radius, 0, None)


def _objects(fields, division):
    ones = Normalization((0.0,), (1.0,))
    context = FinishContext(ones, (0,), TARGET, division=division)
    return int(Segmentation().finish(fields[:, None], context).pixels.max())


def _two(foreground=0.9):
    """Two discs that touch: their outline has a waist, the drawn distance hardly any."""
    depth = np.maximum(_cone(30), _cone(52))
    drawn = np.maximum(depth, 0.75 * (depth > 0))
    return np.stack([foreground * (depth > 0), np.clip(drawn, 0, 0.8), drawn]).astype(np.float32)


def test_a_higher_rise_keeps_together_what_a_lower_one_divides():
    assert _objects(_two(), Division(rise=0.02)) == 2
    assert _objects(_two(), Division(rise=1.0)) == 1


def test_the_share_says_whether_the_drawing_or_the_outline_divides():
    outline, drawing = Division(distance=0.0, rise=0.15), Division(distance=1.0, rise=0.5)
    assert _objects(_two(), outline) == 2
    assert _objects(_two(), drawing) == 1


def test_an_object_of_little_foreground_is_doubtful():
    fields = _two(0.55)
    fields[0] += 0.9 * (_cone(84, 9) > 0)
    assert _objects(fields, dataclasses.replace(DIVISION, rise=1.0)) == 2
    assert _objects(fields, Division(rise=1.0, least=0.6)) == 1


@pytest.mark.parametrize("wrong", [{"distance": 1.2}, {"distance": -0.1}, {"least": 1.5}, {"rise": -1.0}])
def test_a_parameter_out_of_range_is_refused(wrong, tmp_path):
    with pytest.raises(ValueError, match="0 to 1"):
        Division(**wrong)
    config = {"transformer_config": {}, "vae_config": {}, "engine": {"division": wrong}}
    (tmp_path / "s1_omni_image_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"engine\.division.*0 to 1"):
        CheckpointConfig.read(tmp_path)


def test_a_plan_keeps_the_division_and_a_run_with_another_is_another():
    engine = dataclasses.replace(describe("reference"), division=Division(0.4, 0.2, 0.6))
    job = Job.read({"source": "image.zarr", "operation": {"type": "segmentation"}})
    plan, other = (
        resolve(job, LayerSpec((500, 600), ("y", "x"), "uint8"), Normalization((0.0,), (255.0,)), described)
        for described in (engine, dataclasses.replace(engine, division=Division(0.4, 0.3, 0.6)))
    )
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan.digest != other.digest
