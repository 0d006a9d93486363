"""Many kernels one after another, and deep folders: nothing is left of them. Another user runs the same attacks."""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path

import psutil
import pytest

from napari_s1omni.sandbox.launch import BACKENDS
from napari_s1omni.sandbox.opening import open_kernel
from napari_s1omni.sandbox.policy import Limits
from napari_s1omni.system.confined import remove_folder
from napari_s1omni.system.files import temporary_cache

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hundred_kernels_of_each_kind_leave_nothing(backend, open_kernels):
    open_kernels(backend)

    def left():
        own = psutil.Process()
        return own.num_fds(), len(own.children(recursive=True)), own.num_threads(), len(os.listdir(temporary_cache()))

    before = left()
    for number in range(100):
        kernel = open_kernel(Limits(cell_seconds=5), ("numpy",), backend)
        try:
            kernel.execute("open('file', 'w').write('x')")
            if number % 10 == 0:
                kernel.execute("import os; os._exit(1)")
                kernel.execute("1")
        finally:
            kernel.close()
    assert left() == before


def test_a_deep_folder_is_removed(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    (tmp_path / "kept").write_text("kept")
    (folder / "link").symlink_to(tmp_path / "kept")
    here = os.open(folder, os.O_RDONLY)
    for level in range(1100):
        os.mkdir("d", 0o700, dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        if level % 100 == 7:
            os.mkdir("shut", 0o000, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_folder(folder)
    assert os.listdir(tmp_path) == ["kept"]


def test_another_user_meets_the_same_walls(request):
    """All attacks, by a user who is not root."""
    if os.geteuid():
        pytest.skip("the tests are run by such a user already")
    python = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if not Path(python).exists():
        pytest.skip(f"{python} is not installed, and other users cannot read root's own Python")
    site = Path(util.find_spec("numpy").origin).parents[1]
    # Folders of pytest are closed to others.
    place = Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(place))
    os.chown(place, 65534, 65534)
    root = Path(__file__).parents[2]
    # It needs no plugins of windows.
    done = subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            f"--basetemp={place}/t",
            "tests/sandbox/test_attacks.py",
        ],
        cwd=root,
        env={
            **{
                "PATH": "/usr/bin:/bin",
                "HOME": str(place),
                "PYTHONPATH": f"{root}:{site}",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            **{"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p pytest_timeout", "TMPDIR": str(place)},
        },
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if "Permission denied" in done.stderr and not done.stdout:
        pytest.skip("other users cannot read this folder")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
