"""The replay buffer draws stored samples, in other crops and symmetries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch

from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.batches.replay_buffer import ReplayBuffer, ReplaySettings, replay_batches
from napari_s1omni.training.data.pool import PACKED, prepare, read_pool, simulated_fields, write_pool

CPU = torch.device("cpu")


def _batch(first: int, rows: int = 4, length: int = 30, residual: bool = True) -> EditorBatch:
    base = torch.arange(first, first + rows).view(-1, 1, 1, 1) / 64 + torch.zeros(rows, 3, 48, 48)
    lengths = torch.arange(rows) + length - 8 - rows
    return EditorBatch(
        base,
        base + 0.25,
        torch.full((rows,), residual),
        torch.ones(rows, 3),
        torch.arange(length).expand(rows, -1) + 100 * first,
        torch.arange(length - 5)[None] < lengths[:, None],
        torch.zeros(rows, dtype=torch.bool),
        torch.full((rows,), 2),
        5,
    )


def test_rows_stay_together():
    buffer = ReplayBuffer(16, CPU)
    buffer.add(_batch(1))
    buffer.add(_batch(9, length=20))
    torch.manual_seed(0)
    drawn = buffer.draw(64, 32, 0.5)
    assert drawn.base.shape == drawn.target.shape == (64, 3, 32, 32)
    first = drawn.ids[:, 0]
    assert set(first.tolist()) == {100, 900}
    # The gain differs from row to row; base and target keep their ratio, and each row keeps its tokens.
    ratio = (drawn.target / drawn.base)[:, 0, 0, 0]
    at = (0.25 / (ratio - 1) * 64).round()
    assert set(at[first == 100].int().tolist()) == {1, 2, 3, 4}
    assert set(at[first == 900].int().tolist()) == {9, 10, 11, 12}
    assert drawn.mask.shape[1] == drawn.ids.shape[1] - drawn.drop
    assert int(drawn.mask[first == 900].sum(1).max()) == 20 - 8 - 1
    assert 0.2 < float(drawn.null.float().mean()) < 0.8


def test_targets_without_residuals_keep_their_intensity():
    buffer = ReplayBuffer(8, CPU)
    buffer.add(_batch(4, residual=False))
    drawn = buffer.draw(16, 48, 0.0)
    assert set((64 * (drawn.target - 0.25)[:, 0, 0, 0]).round().int().tolist()) <= {4, 5, 6, 7}


def test_the_oldest_rows_are_overwritten_and_long_rows_are_skipped():
    buffer = ReplayBuffer(8, CPU)
    for first in (1, 5, 9):
        buffer.add(_batch(first))
    assert len(buffer) == 8
    torch.manual_seed(0)
    assert set(buffer.draw(64, 48, 0.0).ids[:, 0].tolist()) == {500, 900}
    buffer.add(_batch(20, length=400))
    assert len(buffer) == 8


def test_crops_and_symmetries_differ_but_are_the_same_for_source_and_target():
    buffer = ReplayBuffer(4, CPU)
    batch = _batch(1, rows=1)
    ramp = torch.arange(48.0).view(1, 1, 1, 48) + 100 * torch.arange(48.0).view(1, 1, 48, 1) + torch.zeros(1, 3, 1, 1)
    buffer.add(EditorBatch(ramp, ramp, *list(batch.tensors().values())[2:], batch.drop))
    torch.manual_seed(1)
    drawn = buffer.draw(16, 16, 0.0)
    torch.testing.assert_close(drawn.base, drawn.target)
    shapes = {
        tuple(torch.sign(row[0, 0, 1] - row[0, 0, 0] + 10 * (row[0, 1, 0] - row[0, 0, 0])).flatten().tolist())
        for row in drawn.base
    }
    assert len(shapes) > 1


def test_new_samples_are_added_between_batches():
    made = iter(_batch(4 * i) for i in range(100))
    buffer = ReplayBuffer(12, CPU)
    settings = ReplaySettings(first=1, new=1, batch=8, edge=32, empty=0.0)
    batches = replay_batches(made, buffer, settings)
    sizes = []
    for _ in range(3):
        next(batches)
        sizes.append(len(buffer))
    assert sizes == [8, 12, 12]
    assert int(next(made).ids[0, 0]) == 1600


def test_a_packed_pool_is_the_same_pool_in_8_bits(tmp_path: Path):
    fields = [prepare(field) for field in simulated_fields(4, 6)]
    write_pool(tmp_path / "packed.npz", fields, packed=True)
    write_pool(tmp_path / "pool.safetensors", fields)
    small, large = ((tmp_path / name).stat().st_size for name in ("packed.npz", "pool.safetensors"))
    assert small < 0.6 * large
    step = (PACKED[1] - PACKED[0]) / 255
    for before, after in zip(fields, read_pool(tmp_path / "packed.npz"), strict=True):
        assert after.field.name == before.field.name
        inside = np.clip(before.image.astype(np.float32), *PACKED)
        assert np.abs(after.image.astype(np.float32) - inside).max() < step
        for ours, theirs in zip(before.field.layers, after.field.layers, strict=True):
            assert np.array_equal(ours.labels, theirs.labels)
        assert set(after.field.pairs) == set(before.field.pairs)
