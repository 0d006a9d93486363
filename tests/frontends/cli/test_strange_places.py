"""The command line in a shell as users have it: pipes, closed streams, no home, odd names, few file handles."""

import os
import shlex
import subprocess
import sys

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
    "command",
    ["engines", "plan discs.png", "show out.zarr", "show out.zarr --json", "--help", "show out.zarr --thoughts"],
)
def test_a_reader_that_has_seen_enough_is_no_error_of_ours(place, command):
    ended = shell(f"s1omni {command} | head -c 1; exit ${{PIPESTATUS[0]}}", place)
    # What fits into the buffer of the pipe may be written before its reader ends.
    assert ended.returncode in (0, 141)
    ended = shell(f"s1omni {command} 2>err | :; echo ${{PIPESTATUS[0]}} >code", place)
    assert (place / "code").read_text().strip() in ("0", "141")
    assert (place / "err").read_text() in ("", "note: without --operation, this is the plan of a segmentation\n")


def test_a_run_goes_on_when_nobody_reads_its_progress(place):
    ended = shell(f"s1omni segment discs.png unread.zarr {WORDS} 2> >(:) >/dev/null", place)
    assert ended.returncode == 0
    assert b"complete" in shell("s1omni status unread.zarr", place).stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(place, closed):
    name = f"closed{abs(hash(closed))}.zarr"
    assert shell(f"s1omni segment discs.png {name} {WORDS} {closed}", place).returncode == 0
    assert shell(f"s1omni show {name} {closed}", place).returncode == 0
    assert shell(f"s1omni export {name} {name}.tif {closed}", place).returncode == 0
    with Image.open(place / f"{name}.tif") as picture:
        assert picture.size == (120, 96)


def test_without_utf8(place):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None, "LANG": None}
    # Names of the shell are bytes; Python without UTF-8 does not know what they mean, and keeps them.
    for name in ("Zellen mit ä ö ü", "细胞 核", "a b 'c'"):
        (place / name).mkdir(exist_ok=True)
        (place / name / "é.png").write_bytes((place / "discs.png").read_bytes())
        folder = shlex.quote(name)
        made = shell(f"s1omni segment {folder}/é.png {folder}/ü.zarr {WORDS}", place, **plain)
        assert made.returncode == 0, made.stderr
        for command in ("show", "show --json", "show --tile 1/1", "status"):
            first, _, rest = command.partition(" ")
            ended = shell(f"s1omni {first} {folder}/ü.zarr {rest}", place, **plain)
            assert ended.returncode == 0, ended.stderr
        assert shell(f"s1omni report {folder}/ü.zarr", place, **plain).returncode == 0


NO_HOME = {"HOME": "/proc/nobody", "XDG_CACHE_HOME": None, "S1OMNI_CACHE": None}

NOTEBOOK = """
import warnings
import napari_s1omni
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    job = napari_s1omni.segment("discs.png", engine="reference", prompt="segment the discs, about 16 px", block=False)
print([str(w.message) for w in said])
print(job.wait(120).complete, job.path)
"""


def test_without_a_home(place, tmp_path):
    for command in ("engines", "models list", f"segment discs.png homeless.zarr {WORDS} -q", "show homeless.zarr"):
        ended = shell(f"s1omni {command}", place, **NO_HOME)
        assert ended.returncode == 0, ended.stderr
    (place / "notebook.py").write_text(NOTEBOOK)
    ended = shell(f"{sys.executable} notebook.py", place, **NO_HOME, TMPDIR=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert b"True" in ended.stdout
    assert b"the cache folder /proc/nobody/.cache/napari_s1omni cannot be written" in ended.stdout
    assert str(tmp_path).encode() in ended.stdout


ATTACH = "import napari_s1omni; job = napari_s1omni.attach('out.zarr'); print(job.status.state)"


def test_a_script_that_ends_after_attach_ends_quietly(place):
    for _ in range(3):
        ended = shell(f'{sys.executable} -c "{ATTACH}"', place)
        assert (ended.returncode, ended.stderr) == (0, b"")


def test_sixty_four_file_handles(place):
    ended = shell(
        f"ulimit -n 64; s1omni segment discs.png few.zarr {WORDS} -q && s1omni measure few.zarr few.csv", place
    )
    assert ended.returncode == 0, ended.stderr


def test_a_working_folder_that_was_deleted(place):
    ended = shell("mkdir gone; cd gone; rmdir ../gone; s1omni segment discs.png x.zarr", place)
    assert ended.returncode == 2
    assert b"the working folder, which was deleted" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_results_of_another_user_are_read_and_not_resumed(place):
    for folder in (place, *place.parents):
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o055)
    as_other = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    for command in ("show out.zarr", "status out.zarr", "measure out.zarr /tmp/s1omni-other.csv --overwrite"):
        ended = shell(f"{as_other} s1omni {command}", place, **NO_HOME)
        assert ended.returncode == 0, ended.stderr
    os.unlink("/tmp/s1omni-other.csv")
    for command in ("resume out.zarr --verify", f"segment discs.png out.zarr {WORDS}", "redo out.zarr --tiles 0/0"):
        ended = shell(f"{as_other} s1omni {command}", place, **NO_HOME)
        assert ended.returncode == 73, ended.stderr
        assert b"may write to" in ended.stderr
