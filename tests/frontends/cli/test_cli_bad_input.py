"""Bad input gives one sentence and a documented exit code, and leaves no result that looks finished."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_s1omni import Result
from napari_s1omni.frontends.cli.main import EXIT_CODES


def refused(ended, code: int, *words: str) -> str:
    """Check exit code and message; return the message."""
    assert ended.code == code, ended.err
    assert code in EXIT_CODES
    assert "Traceback" not in ended.err
    lines = [line for line in ended.err.splitlines() if line.startswith("s1omni: ")]
    assert len(lines) == 1, ended.err
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]
    return lines[0]


def save(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def test_a_missing_file(s1omni, tmp_path):
    refused(s1omni("segment", "nowhere.tif", "out.zarr"), 66, "nowhere.tif")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize("name", ["broken.tif", "broken.png", "broken.npy", "broken.zarr", "broken.xyz"])
def test_an_unreadable_file(s1omni, tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no image at all" * 10)
    refused(s1omni("segment", name, "out.zarr"), 66, name)
    assert not (tmp_path / "out.zarr").exists()


def test_a_truncated_file(s1omni, tmp_path):
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (80, 80), np.uint8)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    refused(s1omni("segment", "half.png", "out.zarr"), 66, "half.png")


@pytest.mark.parametrize(("axes", "words"), [("zyx", "zyx"), ("yy", "axes"), ("y", "dimensions"), ("yq", "axes")])
def test_wrong_axes(s1omni, image, axes, words):
    refused(s1omni("segment", image, "out.zarr", "--axes", axes), 66, words)


@pytest.mark.parametrize("region", ["10:10,0:50", "50:10,0:50", "-5:10,0:50"])
def test_an_empty_region(s1omni, image, tmp_path, region):
    refused(s1omni("segment", image, "out.zarr", f"--region={region}"), 2, "empty")
    assert not (tmp_path / "out.zarr").exists()


def test_a_region_beyond_the_image(s1omni, image):
    refused(s1omni("segment", image, "out.zarr", "--region", "0:50,0:500"), 65, "120 px along x")
    refused(s1omni("segment", image, "out.zarr", "--region", "nonsense"), 2, "0:512")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--tile-size", 0), ("--tile-size", -4), ("--overlap", -1), ("--block-size", 0), ("--depth", 0), ("--seed", -1)],
)
def test_zero_and_negative_sizes(s1omni, image, tmp_path, option, value):
    refused(s1omni("segment", image, "out.zarr", f"{option}={value}"), 2, option)
    assert not (tmp_path / "out.zarr").exists()


def test_an_overlap_of_more_than_half_a_tile(s1omni, image):
    refused(s1omni("segment", image, "out.zarr", "--tile-size", 32, "--overlap", 20), 65, "half a tile")


@pytest.mark.parametrize("factor", ["0", "-2", "3", "2,3", "two"])
def test_an_invalid_factor(s1omni, image, factor):
    refused(s1omni("superres", image, "out.zarr", f"--factor={factor}"), 2, "factor")


@pytest.mark.parametrize("words", [("translate",), ("plan", "--operation", "modality_translation")])
def test_an_option_that_is_missing_is_named(s1omni, image, tmp_path, words):
    sentence = refused(s1omni(words[0], image, *words[1:]), 2, "the option --target is missing", "target modality")
    assert "{" not in sentence
    document = {"source": str(image), "output": "out.zarr", "operation": {"type": "modality_translation"}}
    (tmp_path / "job.json").write_text(json.dumps(document))
    sentence = refused(s1omni("run", "job.json"), 2, "job.json", "'target' is missing in 'operation")
    assert "{" not in sentence


def test_a_prompt_of_100_kb(s1omni, image, tmp_path):
    sentence = refused(s1omni("segment", image, "out.zarr", "--prompt", "nuclei " * 14_000), 2, "prompt", "4000")
    assert len(sentence) < 500
    assert not (tmp_path / "out.zarr").exists()


def test_an_unknown_key_names_the_nearest(s1omni, image, tmp_path):
    (tmp_path / "job.yaml").write_text(
        f"source: {image}\noutput: out.zarr\noperation: {{type: segmentation}}\ntiling: {{tile_sise: 64}}\n"
    )
    refused(s1omni("run", "job.yaml"), 2, "tiling.tile_sise", "did you mean 'tile_size'")
    (tmp_path / "job.yaml").write_text(f"source: {image}\nouput: out.zarr\noperation: {{type: segmentation}}\n")
    refused(s1omni("run", "job.yaml"), 2, "did you mean 'output'")


@pytest.mark.parametrize("text", ["[1, 2", "just words", "- a\n- list", "source: a.tif"])
def test_an_invalid_job_file(s1omni, tmp_path, text):
    (tmp_path / "job.yaml").write_text(text)
    refused(s1omni("run", "job.yaml"), 2, "job.yaml")
    refused(s1omni("run", "missing.yaml"), 2, "missing.yaml")


@pytest.mark.parametrize("kind", ["bright", "dark", "bright in uneven light", "dark in uneven light"])
def test_nan_and_infinity_are_counted_and_are_background(s1omni, tmp_path, discs, small, kind):
    pixels = discs[0].astype(np.float32)
    if kind.startswith("dark"):
        pixels = 255 - pixels
    if "uneven" in kind:
        # The background at the holes is far from the mean background, away from the objects.
        pixels += np.linspace(0, 150, 120)[:: -1 if kind.startswith("dark") else 1]
    pixels[8:24, :30] = np.nan
    pixels[0, 0] = np.inf
    np.save(tmp_path / "holes.npy", pixels)
    done = s1omni("segment", "holes.npy", "out.zarr", *small[:-2], f"segment the {kind} discs, about 16 px")
    assert done.code == 0, done.err
    assert "481 measured pixels" in done.err
    result = Result.open(tmp_path / "out.zarr")
    assert result.summary["objects"] == 11, "the twelfth is in the hole"
    assert not result.array[8:24, :30].any()
    up = s1omni("superres", "holes.npy", "up.zarr", "-q", "--tile-size", 64)
    assert up.code == 0, up.err
    unknown = np.kron(~np.isfinite(pixels), np.ones((2, 2), bool))
    assert np.array_equal(np.isnan(Result.open(tmp_path / "up.zarr").array[...]), unknown)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_of_nothing_finite(s1omni, tmp_path, value):
    np.save(tmp_path / "empty.npy", np.full((40, 50), value, np.float32))
    done = s1omni("segment", "empty.npy", "out.zarr")
    assert done.code in (0, 66), done.err
    assert "Traceback" not in done.err
    if done.code == 0:
        assert Result.open(tmp_path / "out.zarr").summary["objects"] == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_constant_image(s1omni, tmp_path, dtype):
    np.save(tmp_path / "flat.npy", np.full((70, 90), 7, dtype))
    done = s1omni("segment", "flat.npy", "out.zarr", "--json", "-q")
    assert done.code == 0, done.err
    assert json.loads(done.out)["objects"] == 0
    up = s1omni("superres", "flat.npy", "up.zarr", "-q")
    assert up.code == 0, up.err
    assert (Result.open(tmp_path / "up.zarr").array[...] == 7).all()


def test_an_image_of_one_pixel(s1omni, tmp_path):
    save(tmp_path / "one.png", np.full((1, 1), 9, np.uint8))
    assert s1omni("segment", "one.png", "labels.zarr", "-q").code == 0
    done = s1omni("superres", "one.png", "up.zarr", "-q")
    assert done.code == 0, done.err
    assert Result.open(tmp_path / "up.zarr").array[...].tolist() == [[9, 9], [9, 9]]


@pytest.mark.parametrize("shape", [(20, 30), (3, 200), (256, 1)])
def test_an_image_smaller_than_a_tile(s1omni, tmp_path, shape):
    save(tmp_path / "small.png", np.random.default_rng(4).integers(0, 255, shape, np.uint8))
    done = s1omni("segment", "small.png", "labels.zarr", "-q")
    assert done.code == 0, done.err
    assert Result.open(tmp_path / "labels.zarr").spec.shape == shape
    assert s1omni("superres", "small.png", "up.zarr", "-q").code == 0


def test_an_image_without_pixels(s1omni, tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 5), np.uint8))
    refused(s1omni("segment", "none.npy", "out.zarr"), 66)


def test_output_equals_input(s1omni, image):
    refused(s1omni("segment", image, image), 73)
    assert s1omni("superres", image, "first.zarr", "-e", "reference").code == 0
    refused(s1omni("segment", "first.zarr", "first.zarr"), 73, "source")
    refused(s1omni("segment", "first.zarr", "first.zarr/inside"), 73, "inside")


def test_a_folder_that_holds_something_else(s1omni, image, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    refused(s1omni("segment", image, "mine"), 73, "thesis.txt")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_written(s1omni, image, tmp_path):
    # Root ignores permissions, but not /proc, nor a file where a folder should be.
    refused(s1omni("segment", image, "/proc/out.zarr"), 73, "/proc")
    (tmp_path / "file").write_text("")
    refused(s1omni("segment", image, "file/out.zarr"), 73, "file")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        refused(s1omni("segment", image, "locked/out.zarr"), 73, "locked")


def mounted(folder, options):
    """Mount a tmpfs, or skip where that is not allowed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")


def test_a_full_disk_keeps_the_state(s1omni, tmp_path):
    save(tmp_path / "noise.png", np.random.default_rng(5).integers(0, 255, (260, 260), np.uint8))
    words = ("superres", "noise.png", "small/up.zarr", "--tile-size", 128, "--overlap", 16, "--block-size", 112, "-q")
    mounted(tmp_path / "small", "size=60k")
    try:
        refused(s1omni(*words), 75, "free some space")
        assert not (tmp_path / "small/up.zarr").exists()
        # Noise does not compress, so the run needs more space than the estimate.
        subprocess.run(["mount", "-o", "remount,size=260k", tmp_path / "small"], check=True)
        refused(s1omni(*words), 75, "Resume with: s1omni resume small/up.zarr")
        assert not Result.open(tmp_path / "small/up.zarr").complete
        subprocess.run(["mount", "-o", "remount,size=4m", tmp_path / "small"], check=True)
        assert s1omni("resume", "small/up.zarr", "-q").code == 0
        whole = s1omni("superres", "noise.png", "up.zarr", *words[3:])
        assert whole.code == 0, whole.err
        np.testing.assert_array_equal(
            Result.open(tmp_path / "small/up.zarr").array[...], Result.open(tmp_path / "up.zarr").array[...]
        )
    finally:
        subprocess.run(["umount", "-l", tmp_path / "small"], check=True)


def test_a_nearly_full_disk_refuses_a_new_run_and_not_a_finished_one(s1omni, tmp_path):
    save(tmp_path / "noise.png", np.random.default_rng(5).integers(0, 255, (260, 260), np.uint8))
    options = ("--tile-size", 128, "--overlap", 16, "--block-size", 112, "-q")
    mounted(tmp_path / "small", "size=2m")
    try:
        assert s1omni("superres", "noise.png", "small/up.zarr", *options).code == 0
        free = shutil.disk_usage(tmp_path / "small").free
        (tmp_path / "small/full").write_bytes(bytes(free - 100_000))
        for more in ((), ("--dry-run",)):
            again = s1omni("superres", "noise.png", "small/up.zarr", *options, *more)
            assert again.code == 0, again.err
            refused(s1omni("superres", "noise.png", "small/new.zarr", *options, *more), 75, "the result may need")
    finally:
        subprocess.run(["umount", "-l", tmp_path / "small"], check=True)


def test_a_read_only_file_system(s1omni, image, tmp_path):
    mounted(tmp_path / "fixed", "ro")
    try:
        refused(s1omni("segment", image, "fixed/out.zarr"), 73, "fixed")
    finally:
        subprocess.run(["umount", "-l", tmp_path / "fixed"], check=True)


def test_no_output(s1omni, image):
    refused(s1omni("segment", image), 2, "output")


def test_an_unknown_engine_and_a_channel_that_is_not_there(s1omni, image):
    refused(s1omni("segment", image, "out.zarr", "--engine", "nobody"), 69, "nobody")
    refused(s1omni("segment", image, "out.zarr", "--channels", "3"), 65, "channel 3")


def test_two_runs_on_one_output(s1omni, tmp_path, image, small):
    assert s1omni("segment", image, "out.zarr", *small).code == 0
    # Hold the lock in another process, as a run does.
    hold = (
        "import fcntl, sys, json, os\n"
        "f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "out.zarr/.s1omni/lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline().strip() == "held"
        refused(s1omni("segment", image, "out.zarr", *small), 73, "is being written")
    finally:
        holder.communicate("")
    assert s1omni("segment", image, "out.zarr", *small).code == 0


def test_a_result_is_not_taken_for_finished(s1omni, tmp_path):
    refused(s1omni("show", "nowhere.zarr"), 66, "nowhere.zarr")
    refused(s1omni("resume", "nowhere.zarr"), 66, "nowhere.zarr")
    refused(s1omni("export", "nowhere.zarr", "a.tif"), 66)
    refused(s1omni("evaluate", "nowhere.zarr", "--truth", "a.tif"), 66)
    refused(s1omni("focus", "nowhere.zarr", "5,5"), 66)


def test_a_focus_that_is_no_place(s1omni, image, small):
    assert s1omni("segment", image, "out.zarr", *small).code == 0
    refused(s1omni("focus", "out.zarr", "here"), 2, "two numbers")
    refused(s1omni("focus", "out.zarr", "20,30"), 2, "it is complete")


def test_a_tiff_of_a_type_that_no_engine_reads(s1omni, tmp_path):
    tifffile.imwrite(tmp_path / "complex.tif", np.ones((20, 20), np.complex64))
    refused(s1omni("segment", "complex.tif", "out.zarr"), 66, "complex")
