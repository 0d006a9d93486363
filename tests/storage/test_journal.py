"""Journal and thought log: appended lines are kept, and damaged lines are never used."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_disk import mounted

from napari_s1omni.core.tiling import TileIndex
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import DiskFull
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.logs import append_log
from napari_s1omni.storage.logs.append_log import AppendLog, decode_line, encode_line, read_lines
from napari_s1omni.storage.logs.journal import BlockRecord, Journal, replay, scan
from napari_s1omni.storage.logs.thought_log import ThoughtLog
from napari_s1omni.storage.logs.tile_failure import TileFailure

FULL = BlockRecord(
    block=(0, 3, 17),
    state="failed",
    digest="ab" * 16,
    quality="cd" * 16,
    labels=0,
    thoughts=("t0/z0/g0/tile/3/5", "off"),
    tiles={"drawn": 7, "failed": 2},
    shared=3,
    seconds={"read": 0.25, "generate": 1.5},
    peak_memory=123456789,
    micro_batch=4,
    tokens=120,
    bytes=4096,
    worker="gpu-1",
    pid=4711,
    attempt=2,
    failures=(TileFailure(3, TileIndex(0, 5), "GenerationError: not finite; twice; 1/2: no"),),
    error="tile (3, 5): not finite\nsecond line “quoted”",
)


def count_damaged(folder):
    return sum(record is None for record in scan(folder))


class CountingDisk(Disk):
    def __init__(self):
        super().__init__()
        self.syncs = 0

    def sync(self, descriptor):
        self.syncs += 1
        super().sync(descriptor)


@pytest.mark.parametrize(
    "record", [FULL, BlockRecord((0, 0), "empty"), BlockRecord((1,), "written", labels=0)], ids=str
)
def test_a_record_survives_its_line(record):
    line = encode_line(record.to_json())
    assert line.count(b"\n") == 1
    assert BlockRecord.from_json(decode_line(line[:-1])) == record


def test_a_typical_record_is_small():
    assert len(encode_line(FULL.to_json())) < 1000
    assert len(encode_line(BlockRecord((0, 12, 34), "empty").to_json())) < 70


def test_every_field_is_stored():
    assert set(FULL.to_json()) == {f.name for f in dataclasses.fields(BlockRecord)}


def test_fields_of_later_versions_are_ignored():
    assert BlockRecord.from_json({"block": [1], "state": "empty", "novelty": 1}) == BlockRecord((1,), "empty")


@pytest.mark.parametrize(
    ("text", "failures", "error"),
    [
        pytest.param("the block failed alone twice: it died", [], "the block failed alone twice: it died", id="block"),
        pytest.param("0/1/2: TileError: bad; worse", [(0, (1, 2), "TileError: bad; worse")], None, id="tile"),
        pytest.param("3/1/2: a; 3/1/3: b\nc", [(3, (1, 2), "a"), (3, (1, 3), "b\nc")], None, id="tiles"),
        pytest.param(None, [], None, id="nothing"),
    ],
)
def test_failed_tiles_of_older_journals_are_read_from_their_text(text, failures, error):
    record = BlockRecord.from_json({"block": [0, 1], "state": "quarantined", "error": text})
    assert [(f.z, f.tile, f.reason) for f in record.failures] == failures
    assert record.error == error
    assert record.failed_whole == (not failures)
    assert record.message == text
    assert BlockRecord.from_json(record.to_json()) == record


def test_records_are_signed_and_replayed(tmp_path):
    with Journal(tmp_path / "journal", "gpu-1") as journal:
        journal.append(FULL.replace(worker="someone", pid=1))
        journal.append(BlockRecord((0, 0, 0), "empty"))
    records = replay(tmp_path / "journal")
    assert records == {
        (0, 3, 17): FULL.replace(pid=os.getpid()),
        (0, 0, 0): BlockRecord((0, 0, 0), "empty", worker="gpu-1", pid=os.getpid()),
    }


def test_no_journal_is_an_empty_one(tmp_path):
    assert replay(tmp_path / "nowhere") == {}
    assert count_damaged(tmp_path / "nowhere") == 0


def written(digest, **more):
    return BlockRecord((5,), "written", digest, **more)


@pytest.mark.parametrize(
    ("segments", "counts"),
    [
        ({"a": [written("1")], "b": [written("2", attempt=1)]}, "2"),
        ({"a": [written("2", attempt=1)], "b": [written("1")]}, "2"),
        ({"a": [written("1"), written("2")]}, "2"),
        ({"a": [written("1")], "b": [BlockRecord((5,), "failed", "2")]}, "1"),
        ({"a": [written("1"), BlockRecord((5,), "stale", "2", attempt=1)]}, "2"),
        ({"a": [BlockRecord((5,), "failed", "1", attempt=1)], "b": [written("2")]}, "1"),
    ],
    ids=["higher attempt", "in whatever segment", "later line", "done before failed", "stale", "zombie"],
)
def test_which_record_counts(segments, counts, tmp_path):
    for worker, records in segments.items():
        with Journal(tmp_path, worker) as journal:
            for record in records:
                journal.append(record)
    assert replay(tmp_path)[5,].digest == counts


def segment(folder, n=6):
    with Journal(folder, "w") as journal:
        for i in range(n):
            journal.append(BlockRecord((i,), "written", f"{i:032x}"))
    return folder / "w.log"


def test_a_torn_last_line_is_ignored_wherever_it_was_torn(tmp_path):
    path = segment(tmp_path)
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(start, len(whole)):
        path.write_bytes(whole[:length])
        assert set(replay(tmp_path)) == {(i,) for i in range(5)}
        assert count_damaged(tmp_path) == 0


def test_a_writer_of_the_same_name_goes_on_after_a_torn_line(tmp_path):
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with Journal(tmp_path, "w") as journal:
        journal.append(BlockRecord((7,), "empty"))
        journal.append(BlockRecord((8,), "empty"))
    assert set(replay(tmp_path)) == {(0,), (1,), (2,), (3,), (4,), (7,), (8,)}
    assert count_damaged(tmp_path) == 1


def test_every_flipped_bit_is_noticed_and_costs_two_lines_at_most(tmp_path):
    path = segment(tmp_path)
    whole = path.read_bytes()
    truth = replay(tmp_path)
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        path.write_bytes(broken)
        found = replay(tmp_path)
        assert found.items() <= truth.items()
        last = at == len(whole) - 1
        assert len(found) >= len(truth) - 2
        assert len(found) < len(truth)
        assert last or count_damaged(tmp_path) >= 1


def test_lines_that_fit_but_mean_nothing_are_damage():
    for line in (b"", b"00000000 00000000 ", b"x" * 50, encode_line([1])[:-2]):
        with pytest.raises(ValueError, match=r"do not match|Expecting value"):
            decode_line(line)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda e: st.lists(e) | st.dictionaries(st.text(), e)
    )
)
def test_any_json_survives(entry):
    line = encode_line(entry)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert decode_line(line[:-1]) == entry


def test_commits_are_grouped(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(append_log, "time", types.SimpleNamespace(monotonic=lambda: now))
    disk = CountingDisk()
    lines = AppendLog(tmp_path / "w.log", disk=disk, interval=3600)
    for i in range(1000):
        lines.append(i)
    assert disk.syncs == 0
    assert len(list(read_lines(lines.path))) == 1000  # handed to the system all the same
    lines.commit()
    lines.commit()
    assert disk.syncs == 1
    lines.interval = 0.05
    lines.append(1)
    now = 0.06
    lines.append(2)
    assert disk.syncs == 2
    lines.append(3)
    lines.close()
    assert disk.syncs == 3
    lines.append(4)  # opens again
    lines.close()
    assert len(list(read_lines(lines.path))) == 1004


def test_the_step_comes_before_the_line(tmp_path):
    seen = []
    journal = Journal(tmp_path, on_step=lambda name: seen.append((name, len(list(scan(tmp_path))))))
    journal.append(BlockRecord((0,), "empty"))
    journal.append(BlockRecord((1,), "empty"))
    journal.close()
    assert seen == [("journal", 0), ("journal", 1)]


def test_many_processes_at_once(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from napari_s1omni.storage.logs.journal import BlockRecord, Journal
        with Journal(Path(sys.argv[1]), sys.argv[2]) as journal:
            for i in range(300):
                journal.append(BlockRecord((int(sys.argv[2]), i), "written", "x" * 32))
    """
    workers = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), tmp_path, str(i)]) for i in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    records = replay(tmp_path)
    assert set(records) == {(w, i) for w in range(3) for i in range(300)}
    assert {record.pid for record in records.values()} == {worker.pid for worker in workers}


def test_a_process_killed_before_the_line_has_not_done_the_block(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from napari_s1omni.storage.logs.journal import BlockRecord, Journal
        steps = []
        def step(name):
            steps.append(name)
            if len(steps) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        journal = Journal(Path(sys.argv[1]), "w", on_step=step, interval=3600)
        for i in range(5):
            journal.append(BlockRecord((i,), "empty"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path])
    assert done.returncode == -signal.SIGKILL
    assert set(replay(tmp_path)) == {(0,), (1,)}
    assert count_damaged(tmp_path) == 0


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    with Journal(tmp_path, "w") as journal:
        journal.append(BlockRecord((0,), "empty"))
        whole = (tmp_path / "w.log").read_bytes()
        real, left = os.write, [10]

        def cramped(descriptor, data):
            if not left[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            n = real(descriptor, bytes(data[: left[0]]))
            left[0] -= n
            return n

        monkeypatch.setattr(os, "write", cramped)
        with pytest.raises(DiskFull):
            journal.append(FULL)
        assert (tmp_path / "w.log").read_bytes() == whole
        monkeypatch.undo()
        journal.append(FULL)
    assert set(replay(tmp_path)) == {(0,), FULL.block}


def test_a_really_full_disk(tmp_path):
    with mounted(tmp_path / "small", "size=32k") as folder:
        journal = Journal(folder / "journal")
        done = []

        def fill():
            for i in range(10000):
                journal.append(BlockRecord((i,), "written", "0" * 32))
                done.append((i,))

        with pytest.raises(DiskFull):
            fill()
        journal.close()
        assert len(done) > 10
        assert set(replay(folder / "journal")) == set(done)


THOUGHTS = {
    "t0/z0/g0/tile/3/5": Thought(
        "<think>bright\nblobs\r\n\u2028 µm 😀</think> ok <image_edit>", (1, 2, 151665), "<image_edit>"
    ),
    "off": Thought(""),
    "odd": Thought("lone \ud800 surrogate, \x00 and \\n", (0,), None),
}


def test_thoughts_survive_exactly(tmp_path):
    with ThoughtLog(tmp_path, "w") as store:
        for key, thought in THOUGHTS.items():
            store.put(key, thought)
            assert store[key] == thought
    again = ThoughtLog(tmp_path)
    assert dict(again) == THOUGHTS
    assert list(again) == sorted(THOUGHTS)
    assert "t0/z0/g0/tile/3/5" in again
    assert again.get("nothing") is None
    with pytest.raises(KeyError):
        again["nothing"]
    assert [type(t) for t in again["odd"].token_ids] == [int]


def test_a_thought_put_again_is_the_later_one_in_whatever_segment(tmp_path):
    with ThoughtLog(tmp_path, "z") as first, ThoughtLog(tmp_path, "a") as second:
        first.put("k", Thought("one"))
        second.put("k", Thought("two"))
        assert ThoughtLog(tmp_path)["k"] == Thought("two")
        first.put("k", Thought("three"))
        assert first["k"] == Thought("three")
        assert second["k"] == Thought("two")
        second.refresh()
        assert second["k"] == Thought("three")
    assert len(ThoughtLog(tmp_path)) == 1


def test_a_reader_sees_new_thoughts_after_refresh_and_cannot_put(tmp_path):
    reader = ThoughtLog(tmp_path)
    assert "k" not in reader
    with ThoughtLog(tmp_path, "w") as store:
        store.put("k", Thought("one"))
        assert "k" not in reader
        reader.refresh()
        assert reader["k"] == Thought("one")
    with pytest.raises(ValueError, match="for reading"):
        reader.put("k", Thought("two"))


def test_lines_are_plain_text_that_people_can_read(tmp_path):
    path = segment(tmp_path, 1)
    length, crc, text = path.read_bytes().rstrip(b"\n").split(b" ", 2)
    assert (int(length, 16), len(crc)) == (len(text), 8)
    assert json.loads(text)["state"] == "written"
