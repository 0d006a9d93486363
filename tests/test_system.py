"""The operating system: locks between processes, whether a process lives, requests to stop."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from napari_s1omni.system.files import is_writable, sync_file, sync_folder
from napari_s1omni.system.locks import LockTaken, check_unlocked, lock_file, lock_folder, owner_lock
from napari_s1omni.system.machine import processors, usable_processors
from napari_s1omni.system.memory import available_memory, own_memory, own_peak, total_memory
from napari_s1omni.system.processes import is_alive, kill_detached, start_detached, start_time, stop_requests

COUNT = """
import sys
from pathlib import Path
from napari_s1omni.system.locks import lock_file, lock_folder
lock = {"file": lambda p: lock_file(p / "lock", mode=0o666), "folder": lock_folder}[sys.argv[1]]
folder = Path(sys.argv[2])
for _ in range(50):
    with lock(folder):
        number = int((folder / "number").read_text())
        (folder / "number").write_text(str(number + 1))
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_processes_take_turns(tmp_path, kind):
    (tmp_path / "number").write_text("0")
    others = [subprocess.Popen([sys.executable, "-c", COUNT, kind, str(tmp_path)]) for _ in range(2)]
    assert [other.wait(240) for other in others] == [0, 0]
    assert (tmp_path / "number").read_text() == "100"


@pytest.mark.parametrize("lock", [lambda p: lock_file(p / "lock", mode=0o666), lock_folder], ids=["file", "folder"])
def test_threads_take_turns(tmp_path, lock):
    inside, most = [], []

    def work():
        with lock(tmp_path):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4


def test_whoever_may_write_to_the_folder_may_lock_the_file(tmp_path):
    with lock_file(tmp_path / "lock", mode=0o666):
        assert (tmp_path / "lock").stat().st_mode & 0o666 == 0o666


def test_an_attempt_to_lock_leaves_the_name_of_the_holder(tmp_path):
    with owner_lock(tmp_path / "lock"):
        for attempt in (check_unlocked, lambda path: owner_lock(path).__enter__()):
            with pytest.raises(LockTaken) as caught:
                attempt(tmp_path / "lock")
            assert caught.value.holder["pid"] == os.getpid()
    check_unlocked(tmp_path / "lock")


def test_a_process_is_known_by_its_number_and_its_start():
    assert is_alive(os.getpid(), start_time())
    assert not is_alive(os.getpid(), start_time() - 60)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, time.time()), "a zombie works no more"
    child.wait()
    assert not is_alive(child.pid, time.time())


def test_a_detached_process_has_a_session_of_its_own():
    words = [sys.executable, "-c", "import os; print(os.getsid(0), flush=True); input()"]
    process = start_detached(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert int(process.stdout.readline()) == process.pid
        kill_detached(process.pid)
    assert process.returncode == -signal.SIGKILL


def test_stop_requests_are_heard_inside_and_not_after():
    before = signal.getsignal(signal.SIGTERM)
    heard = []
    with stop_requests(lambda: heard.append(1)):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert heard == [1, 1]
    assert signal.getsignal(signal.SIGTERM) is before


def test_numbers_of_the_machine():
    assert 1 <= usable_processors() <= processors()
    assert 0 < own_memory() <= own_peak() * 1.01
    assert own_peak() < total_memory()
    assert 0 < available_memory() <= total_memory()


def test_files_and_folders(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        sync_file(file.fileno())
    sync_folder(tmp_path)
    assert is_writable(tmp_path)
