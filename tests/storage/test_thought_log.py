"""The log of thoughts: many, damaged, or deleted below a run."""

from __future__ import annotations

import tracemalloc

import pytest

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.logs.offset_index import OffsetIndex
from napari_s1omni.storage.logs.thought_log import ThoughtLog


def test_a_log_that_was_deleted_below_a_run_is_a_typed_error(tmp_path):
    with ThoughtLog(tmp_path, "w") as store:
        store.put("k", Thought("one"))
        for path in tmp_path.glob("*.log"):
            path.unlink()
        with pytest.raises(StoreError, match=r"reading .*w\.log failed"):
            store["k"]


def test_very_many_thoughts_take_little_memory_and_every_one_is_found(tmp_path):
    places, keys = OffsetIndex(), [f"t0/z0/g0/tile/{i // 400}/{i % 400}" for i in range(50_000)]
    tracemalloc.start()
    for offset, key in enumerate(keys):
        places.put(key, (offset % 3, offset))
    for offset, key in enumerate(keys[::7]):
        places.put(key, (5, offset))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(places) == len(keys)
    # Beyond the newest keys, which are kept in a dictionary, 16 bytes each.
    assert held < 16 * len(keys) + 2**14 * 250
    for i, key in enumerate(keys):
        assert places.get(key) == ((5, i // 7) if i % 7 == 0 else (i % 3, i))
    assert places.get("another") is None


def test_a_damaged_thought_is_forgotten_not_believed(tmp_path):
    with ThoughtLog(tmp_path, "w") as store:
        for key in "abc":
            store.put(key, Thought(key))
    path = tmp_path / "w.log"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"text":"b"', b'"text":"X"')
    path.write_bytes(b"".join(lines))
    assert dict(ThoughtLog(tmp_path)) == {"a": Thought("a"), "c": Thought("c")}
