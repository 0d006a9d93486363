"""Two batches in one folder, batches that are refused, and batches that are killed while they write their table."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from test_batch import TEMPLATE, spots

from napari_s1omni.errors import DiskFull, StoreExists, StoreLocked
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.results.batch.batch_rows import TABLE, read_batch
from napari_s1omni.results.batch.batch_table import open_batch
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.files.disk import Disk

IMAGES = 12


@pytest.fixture
def images(tmp_path):
    home = tmp_path / "images"
    home.mkdir()
    for i in range(IMAGES):
        np.save(home / f"{i:02}.npy", spots(i))
    (tmp_path / "job.yaml").write_text(TEMPLATE.dump(), encoding="utf-8")
    return home


def start(images, *more):
    home = images.parent
    words = ["run", home / "job.yaml", "--source", images, "--output", home / "out", "--no-durable", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "napari_s1omni", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A shell that runs the tests in the background has its children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition):
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def states(folder):
    return [row.state for row in read_batch(folder)]


def test_batches_that_begin_beside_each_other_lose_no_row(images, tmp_path):
    out = tmp_path / "out"
    first = start(images)
    time.sleep(0.1)
    second = start(images)
    wait_for(lambda: len(read_batch(out)) >= 3)
    third = start(images)
    ends = [process.communicate(timeout=200) for process in (first, second, third)]
    assert [process.returncode for process in (first, second, third)] == [0, 0, 0], ends
    assert states(out) == ["already done"] * IMAGES
    waited = [said[1].decode() for said in ends if b"waiting for the end of another batch" in said[1]]
    assert waited
    assert all("of" in text and f"on {os.uname().nodename}" in text for text in waited)


def test_a_second_batch_may_be_refused_at_once(images, tmp_path):
    entries = list_sources(images)[:1]
    with open_batch(tmp_path / "out", 1), pytest.raises(StoreLocked, match=r"a batch runs in .* already: process"):
        run_batch(TEMPLATE, entries, tmp_path / "out", wait=False)
    notes = []
    with open_batch(tmp_path / "out", 1):
        run_batch(TEMPLATE, entries, tmp_path / "out", dry_run=True, on_note=notes.append)
    assert f"process {os.getpid()}" in notes[0]
    assert [row.state for row in run_batch(TEMPLATE, entries, tmp_path / "out", wait=False)] == ["done"]


KILLED = """
import os, signal, sys
from napari_s1omni.jobs import batch
from napari_s1omni.planning.job import Job
from napari_s1omni.results.batch import batch_table
from napari_s1omni.results.batch.batch_rows import read_batch
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.files.disk import Disk

images, out, job = sys.argv[1:]
entries = list_sources(images)

class Dying(Disk):
    left, where = 0, ""

    def write(self, path, data):
        Dying.left -= 1
        if Dying.left == 0 and Dying.where == "write":
            path.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(path, data)

def die(step):
    if Dying.left == 0 and step == Dying.where:
        os.kill(os.getpid(), signal.SIGKILL)

def work():
    batch_table.Disk = Dying
    real = batch.open_batch
    batch.open_batch = lambda *given, **more: real(*given, **more, on_step=die)
    batch.run_batch(Job.load(job), entries, out, durable=False)

def rows():
    return {row.name: row for row in read_batch(out)}

before, kills = {}, 0
for number in range(20):
    Dying.left, Dying.where = 1 + number % 4, ("write", "temp", "renamed")[number % 3]
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    kills += os.WIFSIGNALED(status)
    after = rows()
    lost = [name for name in before if name not in after or not after[name].ok]
    assert not lost, (number, lost)
    before = after
print(kills, len(before))
Dying.left, Dying.where = -1, ""
work()
assert [row.ok for row in rows().values()] == [True] * len(entries), rows()
left = [name for name in os.listdir(out) if name.endswith(".part")]
assert not left, left
"""


@pytest.mark.slow
def test_a_batch_that_is_killed_in_twenty_writes_of_its_table_loses_no_row(images, tmp_path):
    words = [sys.executable, "-c", KILLED, images, tmp_path / "out", tmp_path / "job.yaml"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    kills, rows = map(int, done.stdout.split())
    assert kills == 20
    assert rows > 1


def test_a_refused_batch_keeps_the_record_of_what_is_there(images, tmp_path):
    out = tmp_path / "out"
    entries = list_sources(images)[:3]
    run_batch(TEMPLATE, entries, out, durable=False)
    before = read_batch(out)
    other = TEMPLATE.replace(operation={"type": "segmentation", "prompt": "dark holes"})
    rows = run_batch(other, entries, out, durable=False)
    assert [row.state for row in rows] == ["failed"] * 3
    assert all("PlanMismatch" in row.error for row in rows)
    assert read_batch(out) == before
    # An image that cannot be read any more does not take its result with it.
    (images / "01.npy").write_bytes(b"torn")
    assert [row.state for row in run_batch(TEMPLATE, entries, out, durable=False)].count("failed") == 1
    assert {row.state for row in read_batch(out)} == {"already done", "done"}
    # Images of another batch in the same folder stay in the table too.
    run_batch(TEMPLATE, list_sources(images)[3:4], out, durable=False)
    assert [row.name for row in read_batch(out)] == ["03", "00", "01", "02"]


def test_a_table_that_cannot_be_replaced_stays(images, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_batch(TEMPLATE, list_sources(images)[:2], out, durable=False)
    before = (out / TABLE).read_bytes()

    class Full(Disk):
        def write(self, path, data):
            path.write_bytes(data[:20])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_s1omni.results.batch.batch_table.Disk", Full)
    with pytest.raises(DiskFull):
        run_batch(TEMPLATE, list_sources(images), out, durable=False)
    assert (out / TABLE).read_bytes() == before
    monkeypatch.undo()
    (out / TABLE).write_text("my;own;notes\n1;2;3\n")
    with pytest.raises(StoreExists, match="is no table of a batch"):
        run_batch(TEMPLATE, list_sources(images), out, durable=False)
    assert (out / TABLE).read_text() == "my;own;notes\n1;2;3\n"


def test_a_stopped_batch_gives_its_folder_free(images, tmp_path):
    # So many that it is not done before it is stopped, however late that is.
    for i in range(IMAGES, 30 * IMAGES):
        np.save(images / f"{i:03}.npy", spots(i % IMAGES))
    process = start(images)
    wait_for(lambda: len(read_batch(tmp_path / "out")) >= 1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=240)
    assert process.returncode == 130
    kept = read_batch(tmp_path / "out")
    for file in sorted(images.iterdir())[len(kept) + 3 :]:
        file.unlink()
    rows = run_batch(TEMPLATE, list_sources(images), tmp_path / "out", wait=False, durable=False)
    assert [row.state for row in rows[: len(kept)]] == ["already done"] * len(kept)
