"""49 attempts to get out: none succeeds in the sandbox, and each succeeds without, or the test would show nothing."""

import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from attacks import CODE, CONTROLS_OF_THEIR_OWN, FIVE, NATIVE, VISIBLE_WITHOUT_BUBBLEWRAP

from napari_s1omni.sandbox.kernel import NoBroker, Picture, RequestRefused
from napari_s1omni.sandbox.launch import BACKENDS

MAY_DIE = ("pickle", "huge_header", "nested_header", "flood_pictures", "disk", "thread_bomb", "loops", "crash")
"""Attacks after which the process is ended; all others leave it as it was."""
MUST_DIE = ("pickle", "huge_header", "nested_header", "flood_pictures", "loops", "crash")


class Layer(NoBroker):
    """A layer of 100 x 100 px, read as a careful broker reads it."""

    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100)

    def region(self, request):
        y, x, height, width = request.y, request.x, request.height, request.width
        if not (0 <= y < y + height <= 100 and 0 <= x < x + width <= 100):
            raise RequestRefused("the layer has 100 x 100 px")
        return self.pixels[y : y + height, x : x + width]


def run(kernel, name, told):
    """Run an attack; `P` is what the attacker knows. Afterwards the sandbox works as before."""
    picture = np.full((8, 8, 3), 7, np.uint8)
    kernel.offer([Picture(picture, "given")], {})
    done = kernel.execute(f"P = {told!r}\n{CODE[name]}", Layer())
    assert (picture == 7).all()
    assert kernel.execute("print(6 * 7)").text == "42\n"
    assert not Path(told["witness"]).exists()
    return done


def test_there_are_49():
    assert len(CODE) == 49
    assert len(CODE) - len(FIVE) == 44


@pytest.mark.parametrize("backend", [pytest.param("bubblewrap", marks=pytest.mark.slow), "landlock"])
@pytest.mark.parametrize("name", CODE)
def test_held(backend, name, told, open_kernels):
    kernel = open_kernels(backend)
    inside = backend == "bubblewrap"
    done = run(kernel, name, {**told, "times": inside})
    said = (done.status, done.text[-300:], done.error[-300:])
    if name in VISIBLE_WITHOUT_BUBBLEWRAP and not inside:
        assert "BROKE" in done.text, "docs/security.md says that this can be seen without bubblewrap"
        return
    assert "BROKE" not in done.text, said
    assert done.status != "killed" or name in MAY_DIE, said
    assert done.status == "killed" or name not in MUST_DIE, said
    assert done.status != "timeout" or name == "flood_text", said
    assert len(done.text) <= 110_000
    assert len(done.pictures) <= 16
    assert not done.notes


@pytest.mark.parametrize("backend", BACKENDS)
def test_silence_ends_with_the_time_of_the_cell(backend, told, open_kernels):
    done = run(open_kernels(backend), "crash", {**told, "crash": "silent"})
    assert done.status == "killed"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("abi", ["int80", "x32"])
def test_calls_of_another_abi_end_the_process(backend, abi, told, open_kernels):
    code = NATIVE.get(told["machine"], {}).get(abi)
    if code is None:
        pytest.skip("this processor has no other ABI that we know")
    assert run(open_kernels(backend), "limits_and_native", {**told, "native": {abi: code}}).status == "killed"


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_do_not_work_between_two_cells(backend, open_kernels, until):
    kernel = open_kernels(backend)
    code = "import threading, time\ncount = [0]\ndef work():\n    while True: count[0] += 1; time.sleep(0.001)\n"
    done = kernel.execute(
        f"{code}threading.Thread(target=work, daemon=True).start(); time.sleep(0.05); print(count[0])"
    )
    assert done.threads == 2
    state = Path(f"/proc/{kernel._worker._watched._pid}/stat")
    until(lambda: state.read_text().rsplit(") ")[1][0] in "Tt")
    assert kernel.execute("'goes on'").status == "ok"
    kernel.execute("import os; os._exit(0)")


# Controls: the same attempts where nothing confines them.


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CODE if name not in CONTROLS_OF_THEIR_OWN])
def test_control(name, told, tmp_path):
    known = {**told, "patience": 0.1}
    code = f"P = {known!r}\n{CODE[name]}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        pass_fds=(told["descriptor"],),
        env={"SECRET": told["secret"], "PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        check=False,
    )
    if "Function not implemented" in done.stderr:
        pytest.skip("this kernel does not have it")
    assert "BROKE" in done.stdout, done.stderr[-500:]


def test_control_of_the_input_array():
    picture = np.full((8, 8, 3), 7, np.uint8)
    exec(CODE["input_array"], {"images": [picture]})
    assert (picture == 0).all()


def test_control_of_forged_regions(capsys):
    pixels = Layer.pixels

    def region(y, x, height, width):
        return pixels[y : y + height, x : x + width]

    with pytest.raises(TypeError):
        exec(CODE["forged_regions"], {"region": region, "RequestRefused": RequestRefused})
    assert "BROKE" in capsys.readouterr().out


class _Evil:
    def __reduce__(self):
        return open, (_Evil.witness, "w")


def test_control_of_pickle(tmp_path):
    _Evil.witness = str(tmp_path / "witness")
    pickle.loads(pickle.dumps(_Evil())).close()
    assert (tmp_path / "witness").exists()


def test_control_of_headers():
    length, _ = struct.unpack("<II", struct.pack("<II", 2**32 - 1, 2**32 - 1))
    assert np.empty(length, np.uint8).nbytes > 2**31, "a reader that believes it asks for 4 GB"
    with pytest.raises(RecursionError):
        json.loads("[" * 60_000)


@pytest.mark.parametrize("what", ["print('x' * 2**22)", "import sys; sys.stdout.buffer.write(bytes(2**24))"])
def test_control_of_floods(what):
    assert len(subprocess.run([sys.executable, "-c", what], capture_output=True, check=True).stdout) >= 2**22


def test_control_of_giant_pictures():
    assert np.broadcast_to(np.zeros((1, 1), np.uint8), (60000, 60000)).size == 3_600_000_000


def test_control_of_imitated_frames():
    # Where frames and printed text share a stream, a line is as good as a frame.
    header = json.dumps({"kind": "note", "name": "n", "value": 312}).encode()
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.stdout.buffer.write({struct.pack('<II', len(header), 0) + header!r})"],
        capture_output=True,
        check=True,
    )
    length, _ = struct.unpack_from("<II", done.stdout)
    assert json.loads(done.stdout[8 : 8 + length])["value"] == 312


def test_control_of_crashes():
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes; ctypes.string_at(0)"], capture_output=True, check=False
    )
    assert done.returncode < 0
