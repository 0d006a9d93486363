"""A kernel in use: variables, time, pictures, requests; and that nothing of it is left."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_s1omni.errors import SandboxError
from napari_s1omni.sandbox.kernel import NoBroker, Picture, RequestRefused
from napari_s1omni.sandbox.launch import BACKENDS
from napari_s1omni.sandbox.policy import check_home
from napari_s1omni.system.files import temporary_cache

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


class Broker(NoBroker):
    def __init__(self):
        self.asked, self.came = [], []

    def view(self, request):
        self.asked.append(request)
        if request.size > 2000:
            raise RequestRefused("size is 1 to 2000")
        return Picture(np.full((16, 32, 3), 9, np.uint8), "view 1", "level 1", (0, 0, 64, 128), 1)

    def region(self, request):
        self.asked.append(request)
        return np.arange(request.height * request.width, dtype=">i2").reshape(request.height, request.width)

    def show(self, picture):
        self.came.append(picture.name)

    def note(self, note):
        self.came.append(note)

    def text(self, stream, text):
        self.came.append((stream, text))


def test_variables_stay_and_a_last_value_is_printed(backend, open_kernels):
    kernel = open_kernels(backend)
    assert kernel.execute("import numpy as np\nkept = np.arange(4)").status == "ok"
    assert kernel.execute("kept.sum()").text.strip() in ("6", "np.int64(6)")
    failed = kernel.execute("kept[9]")
    assert failed.status == "error"
    assert failed.error.startswith("Traceback")
    assert "IndexError" in failed.error
    assert str(Path(__file__).parents[2]) not in failed.error
    assert kernel.execute("raise SystemExit(3)").status == "error"
    assert kernel.execute("x = = 1").error.strip().endswith("SyntaxError: invalid syntax")
    assert kernel.execute("print(kept)").text == "[0 1 2 3]\n"
    assert kernel.backend == backend
    assert kernel.alive


def test_what_is_asked_and_shown(backend, open_kernels):
    kernel, broker = open_kernels(backend), Broker()
    kernel.offer([Picture(np.full((4, 6, 3), 7, np.uint8), "overview", "all", (0, 0, 400, 600))], {"axes": "yx"})
    done = kernel.execute(
        "print(layer['axes'], images[0].shape, images[0].dtype, images[0].to_world(2, 3))\n"
        "v = view(box=(0, 0, 64, 128), contrast=(1, 5.5), size=32)\n"
        "print(v.box, v.level, v.caption, int(v.max()))\n"
        "print(region(np.int64(1), 2, 3, 4, level=1) if 'np' in globals() else __import__('builtins') and region(1, 2, 3, 4, level=1))\n"
        "note('area', 3.5, 'um2')\n"
        "show(v > 3, 'mask')\n"
        "import sys; print('aside', file=sys.stderr)\n",
        broker,
    )
    assert done.status == "ok", done.error
    assert "yx (4, 6, 3) uint8 (200.0, 300.0)" in done.text
    assert "(0, 0, 64, 128) 1 level 1 9" in done.text
    assert [type(one).__name__ for one in broker.asked] == ["ViewRequest", "RegionRequest"]
    assert broker.asked[0].contrast == (1, 5.5)
    assert (done.notes[0].name, done.notes[0].value, done.notes[0].unit) == ("area", 3.5, "um2")
    assert [picture.name for picture in done.pictures] == ["mask"]
    assert done.pictures[0].pixels.shape == (16, 32, 3) or done.pictures[0].pixels.shape == (16, 32)
    assert done.notes[0] in broker.came
    assert ("err", "aside\n") in broker.came


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("view(size=5000)", "size is 1 to 2000"),
        ("view(size=2.5)", "whole number"),
        ("view(box=(1, 2))", "box is 4 whole numbers"),
        ("view(contrast=(0, float('nan')))", "not JSON compliant"),
        ("region(True, 0, 1, 1)", "whole number"),
        ("note('x', float('inf'))", "finite"),
        ("show('text')", "show() takes"),
    ],
)
def test_what_is_refused_is_said(backend, code, said, open_kernels):
    done = open_kernels(backend).execute(code, Broker())
    assert done.status == "error"
    assert said in done.error


def test_time_ends_a_cell_and_keeps_variables(backend, open_kernels):
    kernel = open_kernels(backend, cell_seconds=1.0)
    kernel.execute("kept = 5")
    generation = kernel.generation
    assert kernel.execute("while True: pass").status == "timeout"
    assert kernel.execute("print(kept)").text == "5\n"
    killed = kernel.execute("import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass")
    assert (killed.status, kernel.alive) == ("killed", False)
    assert "variables are gone" in killed.error
    assert "NameError" in kernel.execute("kept").error
    assert kernel.generation == generation + 1


def test_the_hosts_answers_cost_the_cell_no_time(backend, open_kernels):
    class Slow(Broker):
        def region(self, request):
            time.sleep(0.5)
            return super().region(request)

    assert open_kernels(backend, cell_seconds=0.3).execute("region(0, 0, 2, 2)", Slow()).status == "ok"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("time.sleep(1.9)", "interrupted"),
        ("while True:\n    try: time.sleep(9)\n    except BaseException: pass", "killed"),
    ],
)
def test_stop_within_a_second(backend, code, status, open_kernels):
    kernel = open_kernels(backend)
    stopped = []

    def stop():
        stopped.append(time.monotonic())
        kernel.interrupt()

    class Started(NoBroker):
        def text(self, stream, text):
            threading.Timer(0.05, stop).start()

    done = kernel.execute(f"import time\nprint('begun', flush=True)\n{code}", Started())
    assert done.status == status
    assert time.monotonic() - stopped[0] < 1.5, "1 s, and a busy machine"


def test_a_failing_broker_ends_the_process_and_says_so(backend, open_kernels):
    class Broken(NoBroker):
        def region(self, request):
            raise OSError("the disk is gone")

    kernel = open_kernels(backend)
    with pytest.raises(OSError, match="disk is gone"):
        kernel.execute("region(0, 0, 1, 1)", Broken())
    assert kernel.execute("1").status == "ok"


def test_a_small_region_takes_a_third_of_a_millisecond(backend, open_kernels):
    code = (
        "import time\ntimes = []\nfor _ in range(300):\n"
        "    at = time.perf_counter(); region(0, 0, 64, 64); times.append(time.perf_counter() - at)\n"
        "print(min(times) * 1000)"
    )
    done = min(float(open_kernels(backend).execute(code, Broker()).text) for _ in range(3))
    assert done <= 0.3


def test_a_closed_kernel_leaves_nothing(backend, open_kernels):
    from napari_s1omni.sandbox.opening import open_kernel
    from napari_s1omni.sandbox.policy import Limits

    open_kernels(backend)
    kernel = open_kernel(Limits(cell_seconds=2), ("numpy",), backend)
    pid = kernel._worker._watched._pid
    kernel.execute("import os\nfor i in range(20): os.mkdir('d', 0o700); os.chdir('d'); open('f', 'w').close()")
    before = set(temporary_cache().glob("sandbox-*"))
    kernel.close()
    if backend == "landlock":
        assert len(before - set(temporary_cache().glob("sandbox-*"))) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(SandboxError, match="closed"):
        kernel.execute("1")


HOST = """
import sys
from napari_s1omni.sandbox.opening import open_kernel
from napari_s1omni.sandbox.policy import Limits
kernel = open_kernel(Limits(), ("numpy",), sys.argv[1])
print(kernel._worker._watched._pid, flush=True)
kernel.execute("while True:\\n    try:\\n        while True: pass\\n    except BaseException: pass")
"""


def test_a_killed_host_takes_its_kernel_with_it(backend, open_kernels, until):
    open_kernels(backend)
    with subprocess.Popen([sys.executable, "-c", HOST, backend], stdout=subprocess.PIPE) as host:
        pid = int(host.stdout.readline())
        host.kill()
    until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1][:3])


def test_a_kernel_outlives_the_thread_that_opened_it(backend, open_kernels):
    kernel = open_kernels(backend)
    thread = threading.Thread(target=lambda: kernel.execute("import os; os._exit(0)") and kernel.start())
    thread.start()
    thread.join()
    time.sleep(0.05)
    generation = kernel.generation
    assert kernel.execute("1").status == "ok"
    assert kernel.generation == generation


def test_the_home_is_never_readable(backend, monkeypatch):
    monkeypatch.setenv("HOME", "/usr/local/person")
    with pytest.raises(SandboxError, match="contains your home folder"):
        check_home(["/usr"])
    check_home(["/usr/local/person/miniconda/lib"])
