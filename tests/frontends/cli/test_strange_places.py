"""The command line in a shell as users have it: pipes, closed streams, no home, odd names, few file handles."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

S1OMNI = shlex.join([sys.executable, "-m", "napari_s1omni"])
WORDS = "--prompt 'segment the discs, about 16 px' --tile-size 48 --overlap 16 --block-size 64 --engine reference"


def shell(command, folder, **environment):
    """Run a line of bash; names of variables with None are removed."""
    known = {**os.environ, "S1OMNI_AUTO": "reference", **environment}
    return subprocess.run(
        ["bash", "-c", command.replace("s1omni ", f"{S1OMNI} ")],
        cwd=folder,
        env={name: value for name, value in known.items() if value is not None},
        capture_output=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an image and its result."""
    folder = tmp_path_factory.mktemp("place")
    picture = Image.new("L", (120, 96), 40)
    for i in range(12):
        x, y = 15 + 30 * (i % 4), 16 + 32 * (i // 4)
        picture.paste(190, (x - 6, y - 6, x + 6, y + 6))
    picture.save(folder / "discs.png")
    made = shell(f"s1omni segment discs.png out.zarr {WORDS} -q", folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(
    "command", ["engines", pytest.param("plan discs.png", marks=pytest.mark.slow), "show out.zarr"]
)
def test_a_reader_that_has_seen_enough_is_no_error_of_ours(place, command):
    # What fits into the buffer of the pipe may be written before its reader ends; this one has ended before.
    ended = shell(f"s1omni {command} 2>err | :; echo ${{PIPESTATUS[0]}} >code", place)
    assert (place / "code").read_text().strip() == "141"
    assert ended.stderr == b""
    assert (place / "err").read_text() in ("", "note: without --operation, this is the plan of a segmentation\n")


def test_a_full_disk_under_what_is_printed_is_foreseen(place):
    ended = shell("s1omni show out.zarr >/dev/full", place)
    assert ended.returncode == 75
    assert b"no space is left" in ended.stderr


def test_a_run_goes_on_when_nobody_reads_its_progress_and_all_streams_may_be_closed(place):
    command = f"s1omni segment discs.png unread.zarr {WORDS} 2> >(:) >/dev/null && s1omni status unread.zarr"
    assert b"complete" in shell(command, place).stdout
    command = f"s1omni export unread.zarr closed.tif <&- >&- 2>&-; s1omni segment discs.png closed.zarr {WORDS} <&- >&-"
    assert shell(command, place).returncode == 0
    with Image.open(place / "closed.tif") as picture:
        assert picture.size == (120, 96)


@pytest.mark.parametrize("name", ["Zellen mit ä ö ü", pytest.param("细胞 核 'b'", marks=pytest.mark.slow)])
def test_any_name_without_utf8(place, name):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None, "LANG": None}
    (place / name).mkdir()
    (place / name / "é.png").write_bytes((place / "discs.png").read_bytes())
    folder = shlex.quote(name)
    ended = shell(
        f"s1omni segment {folder}/é.png {folder}/ü.zarr {WORDS} && s1omni show {folder}/ü.zarr --tile 1/1"
        f" && PYTHONIOENCODING=ascii s1omni show {folder}/ü.zarr",
        place,
        **plain,
    )
    assert ended.returncode == 0, ended.stderr
    assert b"?.zarr" in ended.stdout


NO_HOME = {"HOME": "/proc/nobody", "XDG_CACHE_HOME": None, "S1OMNI_CACHE": None}

NOTEBOOK = """
import warnings
import napari_s1omni
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    job = napari_s1omni.segment("discs.png", engine="reference", prompt="segment the discs, about 16 px", block=False)
print([str(w.message) for w in said])
print(job.wait(240).complete, job.path)
"""


def test_without_a_home(place, tmp_path):
    (place / "notebook.py").write_text(NOTEBOOK)
    ended = shell(f"s1omni models list && {sys.executable} notebook.py", place, **NO_HOME, TMPDIR=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert b"True" in ended.stdout
    assert b"the cache folder /proc/nobody/.cache/napari_s1omni cannot be written" in ended.stdout
    assert str(tmp_path).encode() in ended.stdout


ATTACH = "import napari_s1omni; job = napari_s1omni.attach('out.zarr'); print(job.status.state)"


def test_a_script_that_ends_after_attach_ends_quietly(place):
    ended = shell(f'{sys.executable} -c "{ATTACH}"', place)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
def test_sixty_four_file_handles(place):
    ended = shell(
        f"ulimit -n 64; s1omni segment discs.png few.zarr {WORDS} -q && s1omni measure few.zarr few.csv", place
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_results_of_another_user_are_read_and_not_resumed():
    as_other = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Image.radial_gradient("L").save(folder / "disc.png")
        assert shell(f"s1omni segment disc.png out.zarr {WORDS} -q", folder).returncode == 0
        (folder / "theirs").mkdir()
        shutil.chown(folder / "theirs", 65534, 65534)
        reads = [f"{as_other} s1omni {command}" for command in ("status out.zarr", "measure out.zarr theirs/table.csv")]
        ended = shell(" && ".join(reads), folder, **NO_HOME)
        assert ended.returncode == 0, ended.stderr
        ended = shell(f"{as_other} s1omni resume out.zarr --verify", folder, **NO_HOME)
        assert ended.returncode == 73, ended.stderr
        assert b"may write to" in ended.stderr
