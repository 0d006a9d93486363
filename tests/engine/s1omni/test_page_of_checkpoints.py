from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig

PAGE = (Path(__file__).parents[3] / "docs" / "checkpoints.md").read_text("utf-8")


def _keys(model):
    for name, field in model.model_fields.items():
        yield name
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in inner:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _keys(kind)


def test_every_key_is_documented():
    keys = list(_keys(CheckpointConfig))
    assert len(keys) > 50
    assert [key for key in keys if f"`{key}`" not in PAGE] == []


def test_the_documented_size_is_the_sum_of_its_parts():
    parameters = 33_357_390_064 + 20_430_401_088 + 126_892_531 + 5120 * 3584 + 3584 + 3584 * 3584 + 3584
    assert f"{parameters * 2 / 2**30:.1f} GiB" in PAGE
